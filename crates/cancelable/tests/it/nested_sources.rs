//! S1 and S2 with random nestings of sources, against a naive model.

use std::fmt;
use std::future::pending;

use cancelable::Cancelable;
use cancelable::source::{self, BoxedSource, Source, all_of, any_of};
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use crate::support::{compute_for, secs};

#[derive(Clone)]
enum Tree {
    After(u64),
    /// Fires at that time, and does not know it before.
    Unknown(u64),
    Never,
    Any(Vec<Tree>),
    All(Vec<Tree>),
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(at) => write!(f, "{at}"),
            Self::Unknown(at) => write!(f, "{at}?"),
            Self::Never => f.write_str("never"),
            Self::Any(members) => write!(f, "any{members:?}"),
            Self::All(members) => write!(f, "all{members:?}"),
        }
    }
}

impl Tree {
    fn source(&self) -> BoxedSource {
        let sources = |members: &[Self]| members.iter().map(Self::source).collect::<Vec<_>>();
        match self {
            Self::After(at) => source::timeout(secs(*at)).boxed(),
            Self::Unknown(at) => {
                let at = *at;
                let fires = async move {
                    sleep(secs(at)).await;
                    format!("{at} was there")
                };
                source::from_future(fires).boxed()
            }
            Self::Never => source::from_future(pending::<&str>()).boxed(),
            Self::Any(members) => any_of(sources(members)).boxed(),
            Self::All(members) => all_of(sources(members)).boxed(),
        }
    }

    /// When it fires, and what it says.
    fn fires(&self) -> Option<(u64, String)> {
        match self {
            Self::After(0) => Some((0, "timed out after 0ns".to_owned())),
            Self::After(at) => Some((*at, format!("timed out after {at}s"))),
            Self::Unknown(at) => Some((*at, format!("{at} was there"))),
            Self::Never => None,
            // Of those at the same time the first.
            Self::Any(members) => members
                .iter()
                .filter_map(Self::fires)
                .min_by_key(|(at, _)| *at),
            Self::All(members) => {
                let mut all: Vec<_> = members.iter().map(Self::fires).collect::<Option<_>>()?;
                all.sort_by_key(|(at, _)| *at);
                let (at, _) = *all.last()?;
                let said: Vec<_> = all.into_iter().map(|(_, said)| said).collect();
                Some((at, said.join(", and ")))
            }
        }
    }

    /// When it fires at the latest, as far as that is known at the start.
    fn deadline(&self) -> Option<u64> {
        match self {
            Self::After(at) => Some(*at),
            Self::Unknown(_) | Self::Never => None,
            Self::Any(members) => members.iter().filter_map(Self::deadline).min(),
            Self::All(members) => {
                let all: Option<Vec<_>> = members.iter().map(Self::deadline).collect();
                all?.into_iter().max()
            }
        }
    }
}

fn nested(leaf: impl Strategy<Value = Tree> + 'static) -> impl Strategy<Value = Tree> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = prop::collection::vec(inner, 0..4);
        prop_oneof![some.clone().prop_map(Tree::Any), some.prop_map(Tree::All),]
    })
}

/// Runs until the tree fires, or until the end of all times where it does not; `busy` seconds pass before the first await.
fn run(tree: &Tree, busy: u64) -> (Option<u64>, u64, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let start = Instant::now();
        let mut left = None;
        let plan = Cancelable::new().source(tree.source());
        let outcome = plan.run(async |op| {
            left = op.remaining().map(|left| left.as_secs());
            compute_for(secs(busy));
            sleep(secs(END)).await;
        });
        let said = outcome.await.err().map(|why| why.to_string());
        (left, start.elapsed().as_secs(), said)
    })
}

const END: u64 = 100;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_s1_random_nestings_fire_as_the_model_does(tree in nested(prop_oneof![
        4 => (1..20_u64).prop_map(Tree::After),
        4 => (1..20_u64).prop_map(Tree::Unknown),
        1 => Just(Tree::Never),
    ])) {
        let (left, after, said) = run(&tree, 0);
        prop_assert_eq!(left, tree.deadline());
        match tree.fires() {
            Some((at, message)) => prop_assert_eq!((after, said), (at, Some(message))),
            None => prop_assert_eq!((after, said), (END, None)),
        }
    }

    #[test]
    fn law_s2_random_nestings_of_timeouts_count_from_the_start(
        tree in nested((0..20_u64).prop_map(Tree::After)), busy in 0..25_u64,
    ) {
        let (left, after, said) = run(&tree, busy);
        match tree.fires() {
            // The body is never polled.
            Some((0, message)) => prop_assert_eq!((left, after, said), (None, 0, Some(message))),
            Some((at, message)) => {
                prop_assert_eq!(left, Some(at));
                prop_assert_eq!((after, said), (at.max(busy), Some(message)));
            }
            None => prop_assert_eq!((left, after, said), (None, busy + END, None)),
        }
    }
}
