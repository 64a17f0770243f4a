//! Links under cancels: diamonds, circles, ends that come and go, and tokens that wait for all of several.

use cancelable_core::CancellationToken;

use super::{Count, explore, generations, message, start};

#[test]
fn law_t4_a_diamond_under_two_cancels() {
    explore(|| {
        let top = CancellationToken::new();
        let (left, right) = (
            CancellationToken::linked([&top]),
            CancellationToken::linked([&top]),
        );
        let bottom = CancellationToken::linked([&left, &right]);
        let calls = Count::new();
        bottom
            .on_cancel({
                let calls = calls.clone();
                move |_| calls.add()
            })
            .detach();
        let other = start({
            let (left, bottom) = (left.clone(), bottom.clone());
            move || {
                left.cancel_with("left");
                assert!(bottom.is_cancelled());
            }
        });
        top.cancel_with("top");
        assert!(left.is_cancelled() && right.is_cancelled() && bottom.is_cancelled());
        other.join().unwrap();
        assert_eq!(message(right.cancellation()), "top");
        assert_eq!(calls.now(), 1);
        let left = message(left.cancellation());
        assert!(left == "left" || message(bottom.cancellation()) == "top");
    });
}

#[test]
fn law_t4_a_circle_under_two_cancels() {
    explore(|| {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        one.link(&two);
        two.link(&one);
        let other = start({
            let (one, two) = (one.clone(), two.clone());
            move || {
                let won = two.cancel_with("two");
                assert!(one.is_cancelled() && two.is_cancelled());
                won
            }
        });
        let won = one.cancel_with("one");
        assert!(one.is_cancelled() && two.is_cancelled());
        assert!(won != other.join().unwrap());
        let first = if won { "one" } else { "two" };
        assert_eq!(message(one.cancellation()), first);
        assert_eq!(message(two.cancellation()), first);
    });
}

#[test]
fn law_t4_a_circle_is_closed_under_a_cancel() {
    explore(|| {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        one.link(&two);
        let other = start({
            let (one, two) = (one.clone(), two.clone());
            move || two.link(&one)
        });
        one.cancel_with("one");
        other.join().unwrap();
        assert_eq!(message(two.cancellation()), "one");
    });
}

#[test]
fn law_t5_a_link_made_while_the_other_is_cancelled() {
    explore(|| {
        let (token, source) = (CancellationToken::new(), CancellationToken::new());
        let other = start({
            let source = source.clone();
            move || source.cancel_with("source")
        });
        token.link(&source);
        other.join().unwrap();
        assert_eq!(token.cancellation(), source.cancellation());
    });
}

#[test]
fn law_t5_a_link_made_while_both_are_cancelled() {
    explore(|| {
        let (token, source) = (CancellationToken::new(), CancellationToken::new());
        let second = start({
            let source = source.clone();
            move || source.cancel_with("source")
        });
        let third = start({
            let token = token.clone();
            move || token.cancel_with("token")
        });
        token.link(&source);
        second.join().unwrap();
        let won = third.join().unwrap();
        let expected = if won { "token" } else { "source" };
        assert_eq!(message(token.cancellation()), expected);
    });
}

#[test]
fn law_t4_linked_twice_at_once() {
    explore(|| {
        let (token, source) = (CancellationToken::new(), CancellationToken::new());
        let other = start({
            let (token, source) = (token.clone(), source.clone());
            move || token.link(&source)
        });
        token.link(&source);
        other.join().unwrap();
        source.cancel_with("source");
        assert_eq!(message(token.cancellation()), "source");
    });
}

#[test]
fn law_t6_both_ends_of_a_link_are_dropped_at_once() {
    explore(|| {
        let (token, source) = (CancellationToken::new(), CancellationToken::new());
        token.link(&source);
        let other = start(move || drop(source));
        drop(token);
        other.join().unwrap();
    });
}

#[test]
fn law_t6_both_tokens_of_a_circle_are_dropped_at_once() {
    explore(|| {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        one.link(&two);
        two.link(&one);
        let other = start(move || drop(one));
        drop(two);
        other.join().unwrap();
    });
}

#[test]
fn law_t3_the_told_end_is_dropped_while_the_other_is_cancelled() {
    explore(|| {
        let source = CancellationToken::new();
        let (staying, going) = (
            CancellationToken::linked([&source]),
            CancellationToken::linked([&source]),
        );
        let other = start(move || drop(going));
        source.cancel();
        assert!(staying.is_cancelled());
        other.join().unwrap();
    });
}

#[test]
fn law_t3_the_telling_end_is_dropped_while_its_parent_is_cancelled() {
    explore(|| {
        let root = CancellationToken::new();
        let source = root.child_token();
        let token = CancellationToken::linked([&source]);
        let other = start(move || drop(source));
        root.cancel_with("root");
        other.join().unwrap();
        // The link lives as long as its source; so this may go either way, but never half.
        assert!(!token.is_cancelled() || message(token.cancellation()) == "root");
    });
}

#[test]
fn law_s1_all_of_fires_once_and_with_the_last() {
    explore(|| {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        let all = CancellationToken::all_of([&one, &two]);
        let calls = Count::new();
        all.on_cancel({
            let calls = calls.clone();
            move |_| calls.add()
        })
        .detach();
        let other = start({
            let (one, two, all) = (one.clone(), two.clone(), all.clone());
            move || {
                let was_second = one.is_cancelled();
                two.cancel_with("two");
                if was_second {
                    assert_eq!(message(all.cancellation()), "two");
                }
                if all.is_cancelled() {
                    assert!(one.is_cancelled());
                }
            }
        });
        let was_second = two.is_cancelled();
        one.cancel_with("one");
        if all.is_cancelled() {
            assert!(two.is_cancelled());
        }
        other.join().unwrap();
        assert_eq!(calls.now(), 1);
        let why = message(all.cancellation());
        assert!(why == "two" || why == "one");
        assert!(!was_second || why == "one");
    });
}

#[test]
fn law_s1_all_of_is_made_while_its_members_fire() {
    explore(|| {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        let other = start({
            let (one, two) = (one.clone(), two.clone());
            move || {
                one.cancel_with("one");
                two.cancel_with("two");
            }
        });
        let all = CancellationToken::all_of([&one, &two]);
        other.join().unwrap();
        assert_eq!(message(all.cancellation()), "two");
    });
}

#[test]
fn law_s1_all_of_counts_a_member_given_twice_once_while_it_fires() {
    explore(|| {
        let one = CancellationToken::new();
        let other = start({
            let one = one.clone();
            move || one.cancel_with("one")
        });
        let all = CancellationToken::all_of([&one, &one]);
        other.join().unwrap();
        assert_eq!(message(all.cancellation()), "one");
    });
}

#[test]
fn law_s1_all_of_under_one_root() {
    explore(|| {
        let root = CancellationToken::new();
        let (one, two) = (root.child_token(), root.child_token());
        let all = CancellationToken::all_of([&one, &two]);
        let other = start({
            let one = one.clone();
            move || one.cancel_with("one")
        });
        root.cancel_with("root");
        assert!(all.is_cancelled());
        other.join().unwrap();
        assert_eq!(message(two.cancellation()), "root");
    });
}

#[test]
fn law_t8_the_last_handle_goes_while_a_member_fires() {
    explore(|| {
        let (one, two) = (CancellationToken::new(), CancellationToken::new());
        let all = CancellationToken::all_of([&one, &two]);
        // What the callback holds is dropped with the token, and then cancels something that has children.
        let bystander = CancellationToken::new();
        let child = bystander.child_token();
        let guard = bystander.drop_guard();
        all.on_cancel(move |_| drop(guard)).detach();
        let other = start(move || drop(all));
        one.cancel();
        other.join().unwrap();
        assert!(child.is_cancelled());
    });
}

#[test]
fn law_t8_the_last_handle_goes_while_what_it_is_linked_to_fires() {
    explore(|| {
        let source = CancellationToken::new();
        let bystander = CancellationToken::new();
        let child = bystander.child_token();
        let guard = bystander.drop_guard();
        // The callback belongs to the parent, which the linked token alone holds.
        let parent = CancellationToken::new();
        parent.on_cancel(move |_| drop(guard)).detach();
        let token = parent.child_token();
        parent.on_cancel(|_| ()).detach();
        drop(parent);
        token.link(&source);
        let other = start(move || drop(token));
        source.cancel();
        other.join().unwrap();
        assert!(child.is_cancelled());
    });
}

#[test]
fn law_t3_a_telling_end_that_goes_while_it_tells_is_not_forgotten() {
    explore(|| {
        let root = CancellationToken::new();
        let source = root.child_token();
        let token = CancellationToken::linked([&source]);
        let leaf = token.child_token();
        let other = start(move || {
            let was_told = source.is_cancelled();
            drop(source);
            // The link was all that made the token more than a step above the leaf.
            drop(token);
            was_told
        });
        root.cancel();
        let was_told = other.join().unwrap();
        assert!(leaf.is_cancelled() || !was_told);
    });
}

#[test]
fn law_t6_a_dead_link_keeps_no_step() {
    explore(|| {
        let root = CancellationToken::new();
        let step = root.child_token();
        let leaf = step.child_token();
        let source = CancellationToken::new();
        step.link(&source);
        let other = start(move || drop(source));
        drop(step);
        other.join().unwrap();
        let below = leaf.child_token();
        root.cancel();
        assert_eq!(generations(&below), 2);
    });
}

#[test]
fn law_t3_a_step_that_another_is_linked_to_is_kept() {
    explore(|| {
        let root = CancellationToken::new();
        let step = root.child_token();
        let leaf = step.child_token();
        let linked = CancellationToken::linked([&step]);
        let other = start(move || drop(step));
        root.cancel();
        assert!(leaf.is_cancelled() && linked.is_cancelled());
        other.join().unwrap();
    });
}
