//! What was written before a cancel is visible to whoever sees it, is woken or called by it (T2).
//!
//! It is written and read by relaxed operations, so nothing but the cancel orders them.

use cancelable_core::CancellationToken;
use loom::future::block_on;

use super::{Count, explore, start};

/// Writes, and then cancels, on another thread.
fn write_and_cancel(token: &CancellationToken, written: &Count) -> loom::thread::JoinHandle<bool> {
    let (token, written) = (token.clone(), written.clone());
    start(move || {
        written.add();
        token.cancel()
    })
}

#[test]
fn law_t2_to_whoever_asks() {
    explore(|| {
        let (token, written) = (CancellationToken::new(), Count::new());
        let other = write_and_cancel(&token, &written);
        if token.is_cancelled() {
            assert_eq!(written.now(), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_asks_a_child() {
    explore(|| {
        let (root, written) = (CancellationToken::new(), Count::new());
        let child = root.child_token();
        let other = write_and_cancel(&root, &written);
        if child.is_cancelled() {
            assert_eq!(written.now(), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_asks_a_grandchild_that_is_linked() {
    explore(|| {
        let (root, written) = (CancellationToken::new(), Count::new());
        let child = root.child_token();
        let linked = CancellationToken::linked([&child]);
        let other = write_and_cancel(&root, &written);
        if linked.is_cancelled() {
            assert_eq!(written.now(), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_comes_second() {
    explore(|| {
        let (token, written) = (CancellationToken::new(), Count::new());
        let other = write_and_cancel(&token, &written);
        if !token.cancel() {
            assert_eq!(written.now(), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_comes_second_to_a_child() {
    explore(|| {
        let (root, written) = (CancellationToken::new(), Count::new());
        let child = root.child_token();
        let other = write_and_cancel(&root, &written);
        if !child.cancel() {
            assert_eq!(written.now(), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_makes_a_child_that_is_born_cancelled() {
    explore(|| {
        let (root, written) = (CancellationToken::new(), Count::new());
        let other = write_and_cancel(&root, &written);
        // A child that was made in time may be cancelled by now as well: both must see what was written.
        if root.child_token().is_cancelled() {
            assert_eq!(written.now(), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_makes_a_child_that_is_born_cancelled_below_another() {
    explore(|| {
        let (root, written) = (CancellationToken::new(), Count::new());
        let child = root.child_token();
        let _branched = child.child_token();
        let other = write_and_cancel(&root, &written);
        if child.child_token().is_cancelled() {
            assert_eq!(written.now(), 1);
        }
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_is_woken() {
    explore(|| {
        let (token, written) = (CancellationToken::new(), Count::new());
        let other = write_and_cancel(&token, &written);
        block_on(token.cancelled());
        assert_eq!(written.now(), 1);
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_whoever_is_woken_on_a_child() {
    explore(|| {
        let (root, written) = (CancellationToken::new(), Count::new());
        let child = root.child_token();
        let other = write_and_cancel(&root, &written);
        block_on(child.cancelled());
        assert_eq!(written.now(), 1);
        other.join().unwrap();
    });
}

#[test]
fn law_t2_to_a_callback_wherever_it_runs() {
    explore(|| {
        let (root, written) = (CancellationToken::new(), Count::new());
        let child = root.child_token();
        let other = write_and_cancel(&root, &written);
        let seen = Count::new();
        child
            .on_cancel({
                let seen = seen.clone();
                move |_| {
                    assert_eq!(written.now(), 1);
                    seen.add();
                }
            })
            .detach();
        other.join().unwrap();
        // A callback that panics is caught, and so counts nothing.
        assert_eq!(seen.now(), 1);
    });
}

#[test]
fn law_t2_from_every_member_of_all_of() {
    explore(|| {
        let written = Count::new();
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        let all = CancellationToken::all_of([&one, &two]);
        let second = write_and_cancel(&one, &written);
        let third = write_and_cancel(&two, &written);
        if all.is_cancelled() {
            assert_eq!(written.now(), 2);
        }
        second.join().unwrap();
        third.join().unwrap();
    });
}
