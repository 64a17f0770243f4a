//! Which deadline counts in random graphs of parents, links and all-of tokens, circles included, beside plain search (T11).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cancelable_core::CancellationToken;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Child(usize),
    AllOf(Vec<usize>),
    Link(usize, usize),
    Deadline(usize, u64),
    Cancel(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..1000_usize;
    prop_oneof![
        2 => n().prop_map(Op::Child),
        3 => prop::collection::vec(n(), 1..4).prop_map(Op::AllOf),
        6 => (n(), n()).prop_map(|(token, other)| Op::Link(token, other)),
        4 => (n(), 1..100_u64).prop_map(|(token, at)| Op::Deadline(token, at)),
        1 => n().prop_map(Op::Cancel),
    ]
}

/// What the model knows of a token, all of which are held.
#[derive(Default)]
struct Token {
    /// Its parent and what it is linked to: any of these ends it.
    any: BTreeSet<usize>,
    /// All of these together end it.
    all: BTreeSet<usize>,
    own: Option<u64>,
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn law_t11_the_deadline_that_counts_is_the_one_that_would_fire(
        roots in 1..5_usize,
        ops in prop::collection::vec(op(), 1..40),
    ) {
        let base = Instant::now() + Duration::from_secs(1_000_000);
        let at = |hours: u64| base + Duration::from_secs(3600 * hours);
        let mut real: Vec<_> = (0..roots).map(|_| CancellationToken::new()).collect();
        let mut model: Vec<_> = (0..roots).map(|_| Token::default()).collect();
        for op in ops {
            let count = real.len();
            match op {
                Op::Child(parent) => {
                    real.push(real[parent % count].child_token());
                    model.push(Token { any: BTreeSet::from([parent % count]), ..Token::default() });
                }
                Op::AllOf(members) => {
                    let all: BTreeSet<_> = members.into_iter().map(|member| member % count).collect();
                    real.push(CancellationToken::all_of(all.iter().map(|&member| &real[member])));
                    model.push(Token { all, ..Token::default() });
                }
                Op::Link(token, other) => {
                    real[token % count].link(&real[other % count]);
                    model[token % count].any.insert(other % count);
                }
                Op::Deadline(token, hours) => {
                    real[token % count].cancel_at(at(hours));
                    let own = &mut model[token % count].own;
                    *own = Some(own.map_or(hours, |own| own.min(hours)));
                }
                Op::Cancel(token) => { real[token % count].cancel(); }
            }
        }
        let fired: BTreeSet<_> = (0..real.len()).filter(|&token| real[token].is_cancelled()).collect();
        for (token, real) in real.iter().enumerate() {
            if !real.is_cancelled() {
                let counts = (1..100).find(|&hours| would_fire(&model, &fired, hours).contains(&token));
                prop_assert_eq!(real.deadline(), counts.map(at), "token {}", token);
            }
        }
    }
}

/// Which tokens would be cancelled by `hours` if nothing but deadlines happened, by trying until nothing changes.
fn would_fire(model: &[Token], fired: &BTreeSet<usize>, hours: u64) -> BTreeSet<usize> {
    let mut fired = fired.clone();
    loop {
        let more: Vec<_> = (0..model.len())
            .filter(|token| !fired.contains(token))
            .filter(|&token| {
                let Token { any, all, own } = &model[token];
                own.is_some_and(|own| own <= hours)
                    || !any.is_disjoint(&fired)
                    || (!all.is_empty() && all.is_subset(&fired))
            })
            .collect();
        if more.is_empty() {
            return fired;
        }
        fired.extend(more);
    }
}
