//! Ancestors that nobody holds: taken out of the line while it is cancelled, grows, or is shortened elsewhere.
//!
//! A line of tokens is counted by what the lowest says: each parent that is still there is one more cause.

use cancelable_core::CancellationToken;

use super::{explore, generations, message, start};

/// A root and this many tokens below it, each the child of the one before.
fn line<const N: usize>() -> (CancellationToken, [CancellationToken; N]) {
    let root = CancellationToken::new();
    let mut last = root.clone();
    let below = std::array::from_fn(|_| {
        last = last.child_token();
        last.clone()
    });
    (root, below)
}

#[test]
fn law_t3_a_step_is_taken_out_while_the_grandparent_is_cancelled() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let other = start(move || drop(step));
        root.cancel_with("root");
        assert!(leaf.is_cancelled());
        assert_eq!(message(leaf.cancellation()), "root");
        other.join().unwrap();
        assert!((1..=2).contains(&generations(&leaf)));
    });
}

#[test]
fn law_t3_a_step_is_taken_out_while_its_great_grandparent_is_cancelled() {
    explore(|| {
        let (root, [above, step, leaf]) = line();
        let other = start(move || drop(step));
        root.cancel_with("root");
        assert!(above.is_cancelled() && leaf.is_cancelled());
        assert_eq!(message(leaf.cancellation()), "root");
        other.join().unwrap();
    });
}

#[test]
fn law_t3_a_step_is_taken_out_while_the_child_is_cancelled() {
    explore(|| {
        let (root, [step, middle, leaf]) = line();
        let other = start(move || drop(step));
        middle.cancel_with("middle");
        assert!(leaf.is_cancelled());
        other.join().unwrap();
        assert!(!root.is_cancelled());
        assert_eq!(message(leaf.cancellation()), "middle");
        root.cancel();
        assert_eq!(message(leaf.cancellation()), "middle");
    });
}

#[test]
fn law_t3_a_step_is_taken_out_by_a_sibling_that_leaves_while_the_grandparent_is_cancelled() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let sibling = step.child_token();
        drop(step);
        let other = start(move || drop(sibling));
        root.cancel_with("root");
        assert!(leaf.is_cancelled());
        other.join().unwrap();
    });
}

/// Has the root make and lose a child on another thread, beside whatever the model does.
fn bustle(root: &CancellationToken) -> loom::thread::JoinHandle<()> {
    let root = root.clone();
    start(move || drop(root.child_token()))
}

#[test]
fn law_t6_a_step_goes_with_its_last_handle() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let other = bustle(&root);
        drop(step);
        other.join().unwrap();
        root.cancel();
        assert_eq!(generations(&leaf), 1);
    });
}

#[test]
fn law_t6_a_step_goes_with_its_last_child_but_one() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let sibling = step.child_token();
        drop(step);
        let other = bustle(&root);
        drop(sibling);
        other.join().unwrap();
        root.cancel();
        assert_eq!(generations(&leaf), 1);
    });
}

#[test]
fn law_t6_a_missed_step_goes_with_the_one_below_it() {
    explore(|| {
        let (root, [missed, step, leaf]) = line();
        let registration = missed.on_cancel(|_| ());
        drop(missed);
        drop(registration);
        let other = bustle(&root);
        drop(step);
        other.join().unwrap();
        root.cancel();
        assert_eq!(generations(&leaf), 1);
    });
}

#[test]
fn law_t6_a_step_and_a_sibling_go_at_once() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let sibling = step.child_token();
        let other = start(move || drop(sibling));
        drop(step);
        other.join().unwrap();
        let below = leaf.child_token();
        root.cancel();
        assert_eq!(generations(&below), 2);
    });
}

#[test]
fn law_t6_two_steps_go_at_once() {
    explore(|| {
        let (root, [upper, lower, leaf]) = line();
        let other = start(move || drop(upper));
        drop(lower);
        other.join().unwrap();
        // What two drops at once may each have missed is found as the line grows.
        let below = leaf.child_token();
        root.cancel();
        assert_eq!(generations(&below), 2);
    });
}

#[test]
fn law_t6_two_handles_of_a_step_go_at_once() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let other = start({
            let step = step.clone();
            move || drop(step)
        });
        drop(step);
        other.join().unwrap();
        let below = leaf.child_token();
        root.cancel();
        assert_eq!(generations(&below), 2);
    });
}

#[test]
fn law_t3_two_steps_go_while_the_root_is_cancelled() {
    explore(|| {
        let (root, [upper, lower, leaf]) = line();
        let second = start(move || drop(upper));
        let third = start(move || drop(lower));
        root.cancel_with("root");
        assert!(leaf.is_cancelled());
        assert_eq!(message(leaf.cancellation()), "root");
        second.join().unwrap();
        third.join().unwrap();
    });
}

#[test]
fn law_t3_two_steps_go_and_the_root_is_cancelled_after_one() {
    explore(|| {
        let (root, [upper, lower, leaf]) = line();
        let other = start(move || drop(upper));
        drop(lower);
        root.cancel_with("root");
        assert!(leaf.is_cancelled());
        other.join().unwrap();
    });
}

#[test]
fn law_t6_a_child_is_made_below_while_a_step_goes() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let other = start(move || drop(step));
        let below = leaf.child_token();
        other.join().unwrap();
        let lowest = below.child_token();
        root.cancel();
        assert!(below.is_cancelled());
        assert_eq!(generations(&lowest), 3);
    });
}

#[test]
fn law_t3_a_child_is_made_below_a_missed_step_while_the_root_is_cancelled() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let sibling = step.clone().on_cancel(|_| ());
        drop(step);
        // A registration does not look whether it was the last to hold its token, so the step is left for the next child.
        drop(sibling);
        let other = start({
            let leaf = leaf.clone();
            move || leaf.child_token()
        });
        root.cancel_with("root");
        assert!(leaf.is_cancelled());
        let below = other.join().unwrap();
        assert_eq!(message(below.cancellation()), "root");
    });
}

#[test]
fn law_t3_a_child_of_the_step_is_made_while_the_step_goes() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let other = start({
            let step = step.clone();
            move || step.child_token()
        });
        drop(step);
        let second = other.join().unwrap();
        root.cancel_with("root");
        assert_eq!(message(leaf.cancellation()), "root");
        assert_eq!(message(second.cancellation()), "root");
    });
}

#[test]
fn law_t3_the_root_goes_while_its_child_is_cancelled() {
    explore(|| {
        let (root, [middle, leaf]) = line();
        let other = start(move || drop(root));
        middle.cancel_with("middle");
        assert_eq!(message(leaf.cancellation()), "middle");
        other.join().unwrap();
    });
}

#[test]
fn law_t4_the_reason_is_found_while_a_step_goes() {
    explore(|| {
        let (root, [step, leaf]) = line();
        let second = start(move || drop(step));
        let third = start(move || root.cancel_with("root"));
        if let Some(why) = leaf.cancellation() {
            assert_eq!(why.root_cause().message(), "root");
        }
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!(message(leaf.cancellation()), "root");
    });
}
