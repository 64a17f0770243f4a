//! Cancel against cancel: who wins, and that nobody returns, is woken or is called before all is marked.

use cancelable_core::{CancellationToken, Marked};

use super::{Bell, Count, both, explore, message, poll, start};

#[test]
fn law_t1_one_of_two_cancels_wins() {
    explore(|| {
        let token = CancellationToken::new();
        let (here, there) = both(&token);
        let other = start(move || {
            let won = there.cancel_with("there");
            (won, message(there.cancellation()))
        });
        let won_here = here.cancel_with("here");
        let seen_here = message(here.cancellation());
        let (won_there, seen_there) = other.join().unwrap();
        assert!(won_here != won_there);
        assert_eq!(seen_here, if won_here { "here" } else { "there" });
        assert_eq!(seen_here, seen_there);
    });
}

#[test]
fn law_t1_child_and_parent_are_cancelled_at_once() {
    explore(|| {
        let parent = CancellationToken::new();
        let child = parent.child_token();
        let same_child = child.clone();
        let other = start(move || {
            let won = same_child.cancel_with("child");
            (won, message(same_child.cancellation()))
        });
        assert!(parent.cancel_with("parent"));
        let seen_here = message(child.cancellation());
        let (won, seen_there) = other.join().unwrap();
        assert_eq!(seen_here, if won { "child" } else { "parent" });
        assert_eq!(seen_here, seen_there);
        assert_eq!(message(parent.cancellation()), "parent");
    });
}

#[test]
fn law_t3_all_is_marked_before_either_of_two_cancels_returns() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let other = start({
            let (middle, leaf) = (middle.clone(), leaf.clone());
            move || {
                middle.cancel();
                assert!(leaf.is_cancelled());
            }
        });
        root.cancel();
        assert!(middle.is_cancelled());
        assert!(leaf.is_cancelled());
        other.join().unwrap();
    });
}

#[test]
fn law_t3_all_is_marked_before_a_second_cancel_of_the_same_token_returns() {
    explore(|| {
        let root = CancellationToken::new();
        let leaf = root.child_token();
        let other = start({
            let (root, leaf) = (root.clone(), leaf.clone());
            move || {
                root.cancel();
                assert!(leaf.is_cancelled());
            }
        });
        root.cancel();
        assert!(leaf.is_cancelled());
        other.join().unwrap();
    });
}

#[test]
fn law_t3_all_is_marked_before_anybody_is_called() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let calls = Count::new();
        root.on_cancel({
            let (middle, leaf, calls) = (middle.clone(), leaf.clone(), calls.clone());
            move |_| {
                assert!(middle.is_cancelled());
                assert!(leaf.is_cancelled());
                calls.add();
            }
        })
        .detach();
        let other = start({
            let middle = middle.clone();
            move || middle.cancel()
        });
        root.cancel();
        other.join().unwrap();
        // A callback that panics is caught, and so counts nothing.
        assert_eq!(calls.now(), 1);
    });
}

#[test]
fn law_t3_all_is_marked_before_anybody_is_woken() {
    explore(|| {
        let root = CancellationToken::new();
        let leaf = root.child_token();
        let (bell, waker) = Bell::new();
        let mut wait = root.cancelled();
        assert!(poll(&mut wait, &waker).is_pending());
        let other = start({
            let root = root.clone();
            move || root.cancel()
        });
        if bell.has_rung() {
            assert!(leaf.is_cancelled());
        }
        other.join().unwrap();
        assert!(bell.has_rung());
    });
}

#[test]
fn law_t3_tokens_marked_as_one_are_all_marked_before_anybody_is_woken() {
    explore(|| {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        let below = two.child_token();
        let (bell, waker) = Bell::new();
        let mut wait = one.cancelled();
        assert!(poll(&mut wait, &waker).is_pending());
        let other = start({
            let (one, two) = (one.clone(), two.clone());
            move || {
                let mut marked = Marked::new();
                marked.mark(&one, "one");
                marked.mark(&two, "two");
                marked.tell();
            }
        });
        if bell.has_rung() {
            assert!(one.is_cancelled() && two.is_cancelled());
        }
        // Whoever cancels one of them meanwhile finds, too, all below that one marked.
        two.cancel();
        assert!(below.is_cancelled());
        other.join().unwrap();
        assert!(bell.has_rung());
    });
}

#[test]
fn law_t3_three_overlapping_cancels_in_one_line() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let second = start({
            let (middle, leaf) = (middle.clone(), leaf.clone());
            move || {
                middle.cancel();
                assert!(leaf.is_cancelled());
            }
        });
        let third = start({
            let leaf = leaf.clone();
            move || leaf.cancel_with("leaf")
        });
        root.cancel();
        assert!(middle.is_cancelled() && leaf.is_cancelled());
        second.join().unwrap();
        let won = third.join().unwrap();
        assert_eq!(won, message(leaf.cancellation()) == "leaf");
    });
}

#[test]
fn law_t3_siblings_and_parents_are_left_alone() {
    explore(|| {
        let root = CancellationToken::new();
        let (left, right) = (root.child_token(), root.child_token());
        let below = left.child_token();
        let other = start(move || {
            left.cancel();
            assert!(below.is_cancelled());
        });
        let late = root.child_token();
        other.join().unwrap();
        assert!(!root.is_cancelled() && !right.is_cancelled() && !late.is_cancelled());
    });
}
