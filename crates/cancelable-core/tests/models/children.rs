//! Cancel against children that come and go: none is missed, and none is touched that is gone.

use cancelable_core::CancellationToken;

use super::{Count, explore, start};

#[test]
fn law_t5_a_child_made_during_a_cancel() {
    explore(|| {
        let root = CancellationToken::new();
        let other = start({
            let root = root.clone();
            move || root.child_token()
        });
        root.cancel_with("root");
        let child = other.join().unwrap();
        assert_eq!(child.cancellation().unwrap().cause(), root.cancellation());
    });
}

#[test]
fn law_t5_a_second_child_made_during_a_cancel() {
    explore(|| {
        let root = CancellationToken::new();
        let first = root.child_token();
        let other = start({
            let root = root.clone();
            move || root.child_token()
        });
        root.cancel_with("root");
        assert!(first.is_cancelled());
        assert!(other.join().unwrap().is_cancelled());
    });
}

#[test]
fn law_t5_a_grandchild_made_during_a_cancel() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let other = start({
            let middle = middle.clone();
            move || middle.child_token()
        });
        root.cancel_with("root");
        let leaf = other.join().unwrap();
        assert_eq!(leaf.cancellation().unwrap().cause(), middle.cancellation());
    });
}

#[test]
fn law_t5_children_made_by_two_threads_during_a_cancel() {
    explore(|| {
        let root = CancellationToken::new();
        let make = |root: &CancellationToken| {
            let root = root.clone();
            start(move || root.child_token())
        };
        let (left, right) = (make(&root), make(&root));
        root.cancel();
        assert!(left.join().unwrap().is_cancelled());
        assert!(right.join().unwrap().is_cancelled());
    });
}

#[test]
fn law_t3_a_first_child_is_marked_before_a_second_cancel_returns() {
    explore(|| {
        let root = CancellationToken::new();
        let other = start({
            let root = root.clone();
            move || {
                let child = root.child_token();
                root.cancel();
                assert!(child.is_cancelled());
            }
        });
        root.cancel();
        other.join().unwrap();
    });
}

#[test]
fn law_t3_a_child_dropped_during_a_cancel_hides_no_other() {
    explore(|| {
        let root = CancellationToken::new();
        let (going, staying) = (root.child_token(), root.child_token());
        let other = start({
            let root = root.clone();
            move || {
                drop(going);
                // Takes the key that the one before has left.
                root.child_token()
            }
        });
        root.cancel();
        assert!(staying.is_cancelled());
        assert!(other.join().unwrap().is_cancelled());
    });
}

#[test]
fn law_t3_the_last_handles_of_a_line_dropped_during_a_cancel() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let calls = Count::new();
        leaf.on_cancel({
            let calls = calls.clone();
            move |_| calls.add()
        })
        .detach();
        let other = start(move || {
            drop(leaf);
            drop(middle);
        });
        root.cancel();
        other.join().unwrap();
        assert!(calls.now() <= 1);
    });
}
