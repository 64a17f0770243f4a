//! A million tokens deep and wide on a small stack (T7): 64 KiB where optimized, 512 KiB where not.
//!
//! Where not optimized the chains are of 50,000, since each would take some seconds otherwise; that is still far more
//! than the stack would hold if anything recursed.

use cancelable_core::{Cancellation, CancellationToken, Reason, Registration};

use super::support::{Dice, by_profile, on_small_stack};

const MANY: usize = by_profile(1_000_000, 50_000);

fn chain() -> Vec<CancellationToken> {
    let mut chain = vec![CancellationToken::new()];
    for above in 0..MANY - 1 {
        chain.push(chain[above].child_token());
    }
    chain
}

#[derive(Clone, Copy, Debug)]
enum Order {
    RootFirst,
    LeafFirst,
    Random,
    MiddleOut,
    /// All but the leaf, from both ends by turns, then the leaf.
    LeafLast,
}

fn drop_in(order: Order, tokens: Vec<CancellationToken>) {
    let mut tokens: Vec<_> = tokens.into_iter().map(Some).collect();
    let count = tokens.len();
    let mut numbers: Vec<_> = (0..count).collect();
    match order {
        Order::RootFirst => {}
        Order::LeafFirst => numbers.reverse(),
        Order::Random => Dice::seeded(7).shuffle(&mut numbers),
        Order::MiddleOut => numbers.sort_by_key(|&number| number.abs_diff(count / 2)),
        Order::LeafLast => {
            numbers.sort_by_key(|&number| (number == count - 1, number.min(count - number)))
        }
    }
    for number in numbers {
        tokens[number] = None;
    }
}

const ORDERS: [Order; 5] = [
    Order::RootFirst,
    Order::LeafFirst,
    Order::Random,
    Order::MiddleOut,
    Order::LeafLast,
];

/// A chain as it is, one that is cancelled at the root, and one that is cancelled in the middle.
fn chains_dropped_in(order: Order) {
    on_small_stack(move || {
        drop_in(order, chain());

        let cancelled = chain();
        assert!(cancelled[0].cancel());
        assert!(cancelled[MANY - 1].is_cancelled() && !cancelled[MANY / 2].cancel());
        drop_in(order, cancelled);

        let half = chain();
        assert!(half[MANY / 2].cancel());
        assert!(half[MANY - 1].is_cancelled() && !half[MANY / 2 - 1].is_cancelled());
        drop_in(order, half);
    });
}

#[test]
fn law_t7_chains_dropped_root_first() {
    chains_dropped_in(Order::RootFirst);
}

#[test]
fn law_t7_chains_dropped_leaf_first() {
    chains_dropped_in(Order::LeafFirst);
}

#[test]
fn law_t7_chains_dropped_at_random() {
    chains_dropped_in(Order::Random);
}

#[test]
fn law_t7_chains_dropped_from_the_middle() {
    chains_dropped_in(Order::MiddleOut);
}

#[test]
fn law_t7_chains_dropped_from_both_ends_and_held_by_the_leaf() {
    chains_dropped_in(Order::LeafLast);
}

/// Callbacks keep every ancestor in the line, though nobody holds one.
#[test]
fn law_t7_a_chain_that_only_its_leaf_holds() {
    for is_cancelled in [false, true] {
        on_small_stack(move || {
            let root = CancellationToken::new();
            let mut leaf = root.child_token();
            for _ in 0..MANY {
                leaf.on_cancel(|_| ()).detach();
                leaf = leaf.child_token();
            }
            assert_eq!(leaf.deadline(), None);
            if is_cancelled {
                assert!(root.cancel());
                assert_eq!(
                    leaf.cancellation().unwrap().root_cause(),
                    root.cancellation().unwrap()
                );
            }
            drop(root);
            drop(leaf);
        });
    }
}

#[test]
fn law_t7_the_deep_end_can_be_asked() {
    on_small_stack(|| {
        let chain = chain();
        let leaf = &chain[MANY - 1];
        chain[0].cancel_after(std::time::Duration::from_secs(3600));
        assert_eq!(leaf.deadline(), chain[0].deadline());
        assert!(leaf.deadline().is_some());
        chain[0].cancel_with("far above");
        let mut why = leaf.cancellation().unwrap();
        assert_eq!(why.root_cause().message(), "far above");
        assert_eq!(
            std::error::Error::source(&why).unwrap().to_string(),
            "far above"
        );
        let mut depth = 0;
        while let Some(cause) = why.cause() {
            assert_eq!(why.reason(), Reason::Parent);
            why = cause;
            depth += 1;
        }
        assert_eq!(depth, MANY - 1);
        let held = leaf.clone();
        drop(chain);
        assert_eq!(held.cancellation().unwrap().root_cause(), why);
    });
}

#[test]
fn law_t7_a_root_with_as_many_children() {
    on_small_stack(|| {
        for order in ORDERS {
            for is_cancelled in [false, true] {
                let root = CancellationToken::new();
                let mut all: Vec<_> = (0..MANY / 4).map(|_| root.child_token()).collect();
                let registrations: Vec<Registration> = all
                    .iter()
                    .step_by(10)
                    .map(|child| child.on_cancel(|_| ()))
                    .collect();
                if is_cancelled {
                    assert!(root.cancel());
                    assert!(all.iter().all(CancellationToken::is_cancelled));
                }
                all.insert(0, root);
                drop_in(order, all);
                drop(registrations);
            }
        }
    });
    on_small_stack(|| {
        let root = CancellationToken::new();
        let children: Vec<_> = (0..MANY).map(|_| root.child_token()).collect();
        assert!(root.cancel());
        assert!(children.iter().all(CancellationToken::is_cancelled));
    });
}

#[test]
fn law_t7_a_chain_of_links() {
    chains_of_links_dropped_in([Order::RootFirst, Order::Random]);
}

#[test]
fn law_t7_a_chain_of_links_dropped_in_other_orders() {
    chains_of_links_dropped_in([Order::LeafFirst, Order::MiddleOut, Order::LeafLast]);
}

fn chains_of_links_dropped_in<const N: usize>(orders: [Order; N]) {
    on_small_stack(move || {
        for order in orders {
            let mut chain = vec![CancellationToken::new()];
            for above in 0..MANY - 1 {
                chain.push(match above % 2 {
                    0 => CancellationToken::linked([&chain[above]]),
                    _ => CancellationToken::all_of([&chain[above]]),
                });
            }
            let last = chain[MANY - 1].clone();
            chain[0].cancel_after(std::time::Duration::from_secs(3600));
            assert_eq!(last.deadline(), chain[0].deadline());
            if !matches!(order, Order::Random) {
                chain[0].cancel_with("far above");
                assert_eq!(last.cancellation(), chain[0].cancellation());
            }
            drop_in(order, chain);
        }
    });
}

#[test]
fn law_t7_a_cancellation_with_as_many_causes() {
    on_small_stack(|| {
        let mut why = Cancellation::manual("the first");
        let root = why.clone();
        for _ in 0..MANY {
            why = Cancellation::new(Reason::Error).with_cause(why);
        }
        let token = CancellationToken::new();
        assert!(token.cancel_with(why.clone()));
        assert_eq!(why.root_cause(), root);
        assert_eq!(
            format!("{why:#}"),
            "cancelled because of an error: the first"
        );
        assert!(format!("{why:?}").contains("the first"));
        let inside = why.cause().unwrap().cause().unwrap();
        drop(why);
        drop(token);
        assert_eq!(inside.root_cause(), root);
        drop(root);
        drop(inside);
    });
}
