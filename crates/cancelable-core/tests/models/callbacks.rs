//! Cancel against callbacks that come and go: each is called once or never, and whoever takes it back knows which.

use cancelable_core::{Cancellation, CancellationToken};

use super::{Count, explore, start};

#[test]
fn law_t5_a_callback_registered_during_a_cancel_is_called_once() {
    explore(|| {
        let token = CancellationToken::new();
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        let calls = Count::new();
        token
            .on_cancel({
                let calls = calls.clone();
                move |_| calls.add()
            })
            .detach();
        other.join().unwrap();
        assert_eq!(calls.now(), 1);
    });
}

#[test]
fn law_t5_callbacks_registered_by_two_threads_during_a_cancel() {
    explore(|| {
        let token = CancellationToken::new();
        let calls = Count::new();
        let register = |token: &CancellationToken, calls: &Count| {
            let (token, calls) = (token.clone(), calls.clone());
            start(move || token.on_cancel(move |_| calls.add()).detach())
        };
        let second = register(&token, &calls);
        let third = register(&token, &calls);
        token.cancel();
        second.join().unwrap();
        third.join().unwrap();
        assert_eq!(calls.now(), 2);
    });
}

#[test]
fn law_t8_deregister_tells_the_truth() {
    explore(|| {
        let token = CancellationToken::new();
        let calls = Count::new();
        let registration = token.on_cancel({
            let calls = calls.clone();
            move |_| calls.add()
        });
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        let was_in_time = registration.deregister();
        other.join().unwrap();
        assert_eq!(calls.now(), usize::from(!was_in_time));
    });
}

#[test]
fn law_t8_deregister_from_a_child_tells_the_truth() {
    explore(|| {
        let root = CancellationToken::new();
        let child = root.child_token();
        let calls = Count::new();
        let registration = child.on_cancel({
            let calls = calls.clone();
            move |_| calls.add()
        });
        let other = start(move || root.cancel());
        let was_in_time = registration.deregister();
        other.join().unwrap();
        assert_eq!(calls.now(), usize::from(!was_in_time));
    });
}

#[test]
fn law_t8_a_registration_that_goes_takes_no_other_with_it() {
    explore(|| {
        let token = CancellationToken::new();
        let (going_calls, staying_calls) = (Count::new(), Count::new());
        let register = |calls: &Count| {
            let calls = calls.clone();
            token.on_cancel(move |_| calls.add())
        };
        let going = register(&going_calls);
        register(&staying_calls).detach();
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        drop(going);
        // Once the registration is gone, its callback may be running, but not begin.
        other.join().unwrap();
        assert!(going_calls.now() <= 1);
        assert_eq!(staying_calls.now(), 1);
    });
}

#[test]
fn law_t8_a_registration_dropped_before_the_cancel_is_never_called() {
    explore(|| {
        let token = CancellationToken::new();
        let calls = Count::new();
        let registration = token.on_cancel({
            let calls = calls.clone();
            move |_| calls.add()
        });
        let other = start({
            let token = token.clone();
            move || {
                drop(registration);
                token.cancel();
            }
        });
        drop(token.child_token());
        other.join().unwrap();
        assert_eq!(calls.now(), 0);
    });
}

#[test]
fn law_t8_callbacks_of_two_overlapping_cancels_are_called_once_each() {
    explore(|| {
        let root = CancellationToken::new();
        let child = root.child_token();
        let calls = Count::new();
        for token in [&root, &child] {
            let calls = calls.clone();
            token.on_cancel(move |_| calls.add()).detach();
        }
        let other = start(move || child.cancel());
        root.cancel();
        other.join().unwrap();
        assert_eq!(calls.now(), 2);
    });
}

#[test]
fn law_t8_a_callback_may_do_anything_to_its_own_token() {
    explore(|| {
        let token = CancellationToken::new();
        let child = token.child_token();
        let calls = Count::new();
        token
            .on_cancel({
                let (token, calls) = (token.clone(), calls.clone());
                move |why| {
                    assert_eq!(token.cancellation().as_ref(), Some(why));
                    assert!(!token.cancel());
                    assert!(token.child_token().is_cancelled());
                    let late = {
                        let (token, calls) = (token.clone(), calls.clone());
                        move |_: &Cancellation| {
                            assert!(token.cancellation().is_some());
                            calls.add();
                        }
                    };
                    token.on_cancel(late).detach();
                }
            })
            .detach();
        let other = start(move || child.cancel());
        token.cancel();
        other.join().unwrap();
        assert_eq!(calls.now(), 1);
    });
}

#[test]
fn law_t8_callbacks_of_two_cancels_may_cancel_each_other() {
    explore(|| {
        let (left, right) = (CancellationToken::new(), CancellationToken::new());
        let _below = (left.child_token(), right.child_token());
        for (from, to) in [(&left, &right), (&right, &left)] {
            let to = to.clone();
            from.on_cancel(move |_| {
                to.cancel();
            })
            .detach();
        }
        let other = start({
            let right = right.clone();
            move || right.cancel()
        });
        left.cancel();
        assert!(right.is_cancelled());
        other.join().unwrap();
    });
}

#[test]
fn law_t8_a_detached_callback_outlives_the_handles() {
    explore(|| {
        let root = CancellationToken::new();
        let step = root.child_token();
        let leaf = step.child_token();
        let calls = Count::new();
        step.on_cancel({
            let calls = calls.clone();
            move |_| calls.add()
        })
        .detach();
        let other = start(move || drop(step));
        root.cancel();
        assert!(leaf.is_cancelled());
        other.join().unwrap();
        assert_eq!(calls.now(), 1);
    });
}
