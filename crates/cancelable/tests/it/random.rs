//! I1 and I3 with random sources, chunks and cancels.

use std::pin::pin;

use cancelable::Cancellation;
use proptest::prelude::*;

use crate::script::{Step, drain, in_operation, scripted};
use crate::support::Log;

fn script() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![6 => Just(true), 3 => Just(false)];
    (
        prop::collection::vec(step, 0..40),
        prop::option::of(0..40usize),
    )
        .prop_map(|(steps, cancel)| {
            let mut number = 0;
            let mut script: Vec<_> = steps
                .into_iter()
                .map(|is_item| {
                    number += u32::from(is_item);
                    if is_item {
                        Step::Item(number)
                    } else {
                        Step::Later
                    }
                })
                .collect();
            if let Some(at) = cancel {
                script.insert(at.min(script.len()), Step::Cancel);
            }
            script
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_i1_random_every_item_once_in_order(
        script in script(), chunk in 0..9usize, keep in 0..9usize, cancel_at in 0..60usize,
    ) {
        let all = script.iter().filter(|step| matches!(step, Step::Item(_))).count();
        in_operation(|op| {
            let log = Log::default();
            let items = op.stream(scripted(&op, &log, script)).keep(keep);
            let kept = items.kept();
            let mut got: Vec<u32> = Vec::new();
            let mut end = None;
            let mut take = |next: Vec<Result<Vec<u32>, Cancellation>>| {
                for next in next {
                    assert!(end.is_none(), "nothing comes after the reason");
                    match next {
                        Ok(items) => {
                            assert!(!items.is_empty() && items.len() <= chunk.max(1));
                            got.extend(items);
                        }
                        Err(why) => end = Some(why),
                    }
                }
            };
            // Some polls, a cancel between two of them, and the rest.
            let (delivered, is_completed) = if chunk == 0 {
                let single = |got: Vec<Result<u32, Cancellation>>| {
 let got = got.into_iter();
 got.map(|item| item.map(|item| vec![item])).collect()
 };
 let mut items = pin!(items);
                take(single(drain(items.as_mut(), cancel_at)));
                op.cancel_with("between polls");
                take(single(drain(items.as_mut(), 200)));
                (items.delivered(), items.is_completed())
            } else {
                let mut items = pin!(items.chunks(chunk));
                take(drain(items.as_mut(), cancel_at));
                op.cancel_with("between polls");
                take(drain(items.as_mut(), 200));
                (items.delivered(), items.is_completed())
            };
            // Delivered and still there make all, in order, and the count knows.
            let left = log.take().pop().expect("it was dropped");
            let left: usize = left.strip_prefix("dropped with ").expect("last").parse().expect("a number");
            assert_eq!(got.len() + left, all);
            assert!(got.iter().copied().eq(1..=got.len() as u32));
            assert_eq!(delivered, got.len() as u64);
            assert_eq!(op.context().items, delivered);
            assert_eq!(is_completed, end.is_none());
            assert_eq!(kept.items(), got[got.len().saturating_sub(keep)..]);
        });
    }
}
