//! Tokens as the laws tell them: plain structs and recursive definitions, slow and easy to believe.

use std::collections::BTreeSet;

/// Every token that there has been, by the order of their making.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) tokens: Vec<Token>,
    /// How many cancels there have been, births of cancelled tokens included.
    cancels: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Token {
    /// `None` for a root, and for what was born cancelled.
    pub(crate) parent: Option<usize>,
    /// Of what was born cancelled the parent, or where that hangs if it was born cancelled itself.
    pub(crate) hangs_at: Option<usize>,
    /// Tokens whose cancel reaches this one.
    pub(crate) links: BTreeSet<usize>,
    /// Tokens that must all be cancelled for their cancel to reach this one.
    pub(crate) members: BTreeSet<usize>,
    /// Handles, held registrations, and futures that own one.
    pub(crate) holders: usize,
    pub(crate) is_cancelled: bool,
    /// Which cancel it was; several are reached by one.
    pub(crate) fired: usize,
}

impl Model {
    pub(crate) fn add(&mut self, token: Token) -> usize {
        self.cancels += 1;
        self.tokens.push(Token {
            holders: 1,
            fired: self.cancels,
            ..token
        });
        self.tokens.len() - 1
    }

    /// Whether anything holds the token: a handle, a registration, an owned future, or a child.
    pub(crate) fn is_alive(&self, token: usize) -> bool {
        self.tokens[token].holders > 0
            || (0..self.tokens.len()).any(|child| {
                let Token {
                    parent, hangs_at, ..
                } = &self.tokens[child];
                parent.or(*hangs_at) == Some(token) && self.is_alive(child)
            })
    }

    /// Cancels a token, and returns whom that reaches.
    pub(crate) fn cancel(&mut self, token: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        self.cancels += 1;
        self.reach(token, &mut reached);
        reached
    }

    fn reach(&mut self, token: usize, reached: &mut BTreeSet<usize>) {
        if self.tokens[token].is_cancelled || !self.is_alive(token) {
            return;
        }
        self.tokens[token].is_cancelled = true;
        self.tokens[token].fired = self.cancels;
        reached.insert(token);
        for other in 0..self.tokens.len() {
            if self.depends_on(other, token) {
                self.reach(other, reached);
            }
        }
    }

    fn depends_on(&self, other: usize, token: usize) -> bool {
        let Token {
            parent,
            links,
            members,
            ..
        } = &self.tokens[other];
        *parent == Some(token)
            || links.contains(&token)
            || (members.contains(&token) && self.all_cancelled(members))
    }

    fn all_cancelled(&self, tokens: &BTreeSet<usize>) -> bool {
        tokens.iter().all(|&token| self.tokens[token].is_cancelled)
    }

    /// How many generations may lie between the cancellation of each token in `reached` and that of `asked`, from which
    /// the cancel started. Where there are several ways down, any may be the one that counted; ancestors that nobody holds
    /// may be missing. `known` says what was found at the tokens that can be asked.
    pub(crate) fn depths(
        &self,
        asked: usize,
        reached: &BTreeSet<usize>,
        known: impl Fn(usize) -> Option<usize>,
    ) -> Vec<BTreeSet<usize>> {
        let mut any = vec![BTreeSet::new(); self.tokens.len()];
        let mut by_parent = any.clone();
        any[asked].insert(0);
        loop {
            let before = (any.clone(), by_parent.clone());
            for &token in reached {
                let Token {
                    parent,
                    links,
                    members,
                    ..
                } = &self.tokens[token];
                if let Some(parent) = parent.filter(|parent| reached.contains(parent)) {
                    let from = |depths: &BTreeSet<usize>| match known(parent) {
                        Some(depth) => BTreeSet::from([depth]),
                        None => depths.clone(),
                    };
                    by_parent[token].extend(from(&any[parent]).iter().map(|depth| depth + 1));
                    if self.tokens[parent].holders == 0 {
                        let skipped = by_parent[parent].clone();
                        by_parent[token].extend(skipped);
                    }
                    let depths = by_parent[token].clone();
                    any[token].extend(depths);
                }
                for other in links.union(members).filter(|other| reached.contains(other)) {
                    let depths = match known(*other) {
                        Some(depth) => BTreeSet::from([depth]),
                        None => any[*other].clone(),
                    };
                    any[token].extend(depths);
                }
                any[token].retain(|&depth| depth <= self.tokens.len());
                by_parent[token].retain(|&depth| depth <= self.tokens.len());
            }
            if before == (any.clone(), by_parent.clone()) {
                return any;
            }
        }
    }
}
