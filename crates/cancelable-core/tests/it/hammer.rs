//! Real threads over one tree: cancels against cancels, and everything else against cancels (T1, T3, T8).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cancelable_core::{CancellationToken, Reason};

use super::rounds::{ROUNDS, rounds};
use super::support::OnDrop;

/// A tree of a few levels, and all of it in one list, each after its parent.
fn bush(root: &CancellationToken) -> Vec<CancellationToken> {
    let mut all = vec![root.clone()];
    for parent in 0..7 {
        for _ in 0..2 {
            all.push(all[parent].child_token());
        }
    }
    all
}

#[test]
fn law_t1_one_of_many_cancels_wins() {
    fn cancel(token: &CancellationToken, number: usize) -> bool {
        token.cancel_with(format!("by {number}"))
    }
    rounds(
        ROUNDS,
        |round| {
            if round % 2 == 0 {
                CancellationToken::new()
            } else {
                let token = CancellationToken::new();
                let child = token.child_token();
                token.on_cancel(move |_| drop(child)).detach();
                token
            }
        },
        &[cancel, cancel, cancel],
        |token, won| {
            let winner = won.iter().position(|&won| won).expect("somebody");
            assert_eq!(won.iter().filter(|&&won| won).count(), 1);
            assert_eq!(
                token.cancellation().unwrap().message(),
                format!("by {winner}")
            );
        },
    );
}

/// A tree in which two cancels, one above the other, are under way.
struct Overlap {
    all: Vec<CancellationToken>,
    /// What the second token's subtree is, by number.
    lower: Vec<usize>,
    unmarked: Arc<AtomicUsize>,
}

#[test]
fn law_t3_overlapping_cancels_return_when_everything_below_is_marked() {
    fn check(overlap: &Overlap, below: &[usize]) {
        let missed = below
            .iter()
            .filter(|&&number| !overlap.all[number].is_cancelled())
            .count();
        overlap.unmarked.fetch_add(missed, Ordering::SeqCst);
    }
    fn upper(overlap: &Overlap, _: usize) -> bool {
        let won = overlap.all[0].cancel_with("upper");
        check(overlap, &(0..overlap.all.len()).collect::<Vec<_>>());
        won
    }
    fn lower(overlap: &Overlap, _: usize) -> bool {
        let won = overlap.all[1].cancel_with("lower");
        check(overlap, &overlap.lower);
        won
    }
    rounds(
        ROUNDS,
        |round| {
            let root = CancellationToken::new();
            let all = bush(&root);
            let lower = vec![1, 3, 4, 7, 8, 9, 10];
            let unmarked = Arc::new(AtomicUsize::new(0));
            // Callbacks see as much as those who called.
            if round % 2 == 0 {
                for (top, below) in [(0, (0..all.len()).collect()), (1, lower.clone())] {
                    let below: Vec<_> = below
                        .iter()
                        .map(|&number: &usize| all[number].downgrade())
                        .collect();
                    let unmarked = Arc::clone(&unmarked);
                    all[top]
                        .on_cancel(move |_| {
                            let missed = below
                                .iter()
                                .filter_map(|below| below.upgrade())
                                .filter(|below| !below.is_cancelled())
                                .count();
                            unmarked.fetch_add(missed, Ordering::SeqCst);
                        })
                        .detach();
                }
            }
            Overlap {
                all,
                lower,
                unmarked,
            }
        },
        &[upper, lower, lower],
        |overlap, won| {
            assert_eq!(overlap.unmarked.load(Ordering::SeqCst), 0);
            assert!(won[0], "nobody else can cancel the root");
            assert!(!(won[1] && won[2]));
            let expected = if won[1] || won[2] {
                Reason::Manual
            } else {
                Reason::Parent
            };
            let why = overlap.all[1].cancellation().unwrap();
            assert_eq!(why.reason(), expected);
            assert_eq!(
                overlap.all[7].cancellation().unwrap().root_cause(),
                why.root_cause()
            );
        },
    );
}

#[test]
fn law_t3_a_link_overlaps_too() {
    fn left(tokens: &[CancellationToken; 4], _: usize) -> bool {
        let won = tokens[0].cancel_with("left");
        assert!(tokens.iter().all(CancellationToken::is_cancelled));
        won
    }
    fn right(tokens: &[CancellationToken; 4], _: usize) -> bool {
        let won = tokens[2].cancel_with("right");
        assert!(tokens.iter().all(CancellationToken::is_cancelled));
        won
    }
    rounds(
        ROUNDS,
        |_| {
            // A circle: 0 – child 1 – linked 2 – child 3 – linked 0.
            let first = CancellationToken::new();
            let second = first.child_token();
            let third = CancellationToken::linked([&second]);
            let fourth = third.child_token();
            first.link(&fourth);
            [first, second, third, fourth]
        },
        &[left, right],
        |_, won| assert!(won[0] != won[1]),
    );
}

#[test]
fn law_t1_t3_t8_everything_against_a_cancel() {
    struct Shared {
        root: CancellationToken,
        other: CancellationToken,
        calls: Arc<AtomicUsize>,
    }
    fn cancel(shared: &Shared, _: usize) -> usize {
        shared.root.cancel();
        0
    }
    fn grow(shared: &Shared, _: usize) -> usize {
        let mut t = shared.root.clone();
        for _ in 0..20 {
            let sibling = t.child_token();
            t = t.child_token();
            sibling.link(&shared.other);
            shared.other.link(&t);
            let clone = t.clone();
            drop(t);
            t = clone;
        }
        assert_eq!(
            t.blocking_cancelled().root_cause(),
            shared.root.cancellation().unwrap()
        );
        0
    }
    /// Returns how many of its callbacks were not taken back in time.
    fn listen(shared: &Shared, _: usize) -> usize {
        let mut called = 0;
        for _ in 0..10 {
            let child = shared.root.child_token().child_token();
            let calls = Arc::clone(&shared.calls);
            let registration = child.on_cancel(move |_| {
                calls.fetch_add(1, Ordering::SeqCst);
            });
            called += usize::from(!registration.deregister());
        }
        called
    }
    rounds(
        ROUNDS / 2,
        |_| Shared {
            root: CancellationToken::new(),
            other: CancellationToken::new(),
            calls: Arc::default(),
        },
        &[cancel, grow, listen, listen],
        |shared, called| {
            assert_eq!(
                shared.calls.load(Ordering::SeqCst),
                called.iter().sum::<usize>()
            );
        },
    );
}

#[test]
fn law_t8_what_goes_while_it_is_marked_is_dropped_outside_the_locks() {
    struct Shared {
        first: CancellationToken,
        last: Mutex<Option<CancellationToken>>,
        drops: Arc<AtomicUsize>,
    }
    fn cancel(shared: &Shared, _: usize) {
        shared.first.cancel();
    }
    fn let_go(shared: &Shared, _: usize) {
        let last = shared.last.lock().unwrap().take();
        drop(last);
    }
    let drops = Arc::new(AtomicUsize::new(0));
    rounds(
        ROUNDS * 2,
        |round| {
            let (first, second) = (CancellationToken::new(), CancellationToken::new());
            // What is captured needs the marking lock as it goes, which whoever marks this one holds.
            let captured = OnDrop({
                let (busy, drops) = (CancellationToken::new(), Arc::clone(&drops));
                let child = busy.child_token();
                move || {
                    busy.cancel();
                    assert!(child.is_cancelled());
                    drops.fetch_add(1, Ordering::SeqCst);
                }
            });
            // One that waits for another member, or whose parent nobody else holds and nobody cancels.
            let last = if round % 2 == 0 {
                let all = CancellationToken::all_of([&first, &second]);
                all.on_cancel(move |_| drop(captured)).detach();
                all
            } else {
                let parent = CancellationToken::new();
                parent.on_cancel(move |_| drop(captured)).detach();
                let child = parent.child_token();
                child.link(&first);
                child
            };
            Shared {
                first,
                last: Mutex::new(Some(last)),
                drops: Arc::clone(&drops),
            }
        },
        &[cancel, let_go],
        |shared, _| drop(shared.drops),
    );
    assert_eq!(drops.load(Ordering::SeqCst), ROUNDS * 2);
}
