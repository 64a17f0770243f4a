//! Cancel against waiting: no wake-up is lost, whenever a waiter comes, changes its waker, or goes.

use cancelable_core::CancellationToken;
use loom::future::block_on;

use super::{Bell, explore, poll, start};

#[test]
fn law_t9_first_poll() {
    explore(|| {
        let token = CancellationToken::new();
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        let (bell, waker) = Bell::new();
        let mut wait = token.cancelled();
        let first = poll(&mut wait, &waker);
        other.join().unwrap();
        assert!(first.is_ready() || bell.has_rung());
        assert!(poll(&mut wait, &waker).is_ready());
    });
}

#[test]
fn law_t9_first_poll_of_a_child() {
    explore(|| {
        let root = CancellationToken::new();
        let child = root.child_token();
        let other = start(move || root.cancel());
        let (bell, waker) = Bell::new();
        let mut wait = child.cancelled();
        let first = poll(&mut wait, &waker);
        other.join().unwrap();
        assert!(first.is_ready() || bell.has_rung());
    });
}

#[test]
fn law_t9_second_waiter_of_two() {
    explore(|| {
        let token = CancellationToken::new();
        let (first_bell, first_waker) = Bell::new();
        let mut first = token.cancelled();
        assert!(poll(&mut first, &first_waker).is_pending());
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        let (bell, waker) = Bell::new();
        let mut second = token.cancelled();
        let polled = poll(&mut second, &waker);
        other.join().unwrap();
        assert!(first_bell.has_rung());
        assert!(polled.is_ready() || bell.has_rung());
    });
}

#[test]
fn law_t9_two_waiters_register_at_once() {
    explore(|| {
        let token = CancellationToken::new();
        let other = start({
            let token = token.clone();
            move || {
                let (bell, waker) = Bell::new();
                let mut wait = token.cancelled_owned();
                let polled = poll(&mut wait, &waker);
                (bell, wait, polled.is_ready())
            }
        });
        let canceller = start({
            let token = token.clone();
            move || token.cancel()
        });
        let (bell, waker) = Bell::new();
        let mut wait = token.cancelled();
        let polled = poll(&mut wait, &waker);
        canceller.join().unwrap();
        assert!(polled.is_ready() || bell.has_rung());
        let (bell, _wait, was_ready) = other.join().unwrap();
        assert!(was_ready || bell.has_rung());
    });
}

#[test]
fn law_t9_polled_again_with_another_waker() {
    explore(|| {
        let token = CancellationToken::new();
        let mut wait = token.cancelled();
        let (_old_bell, old) = Bell::new();
        assert!(poll(&mut wait, &old).is_pending());
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        let (bell, new) = Bell::new();
        let polled = poll(&mut wait, &new);
        other.join().unwrap();
        assert!(polled.is_ready() || bell.has_rung());
    });
}

#[test]
fn law_t9_polled_again_with_the_same_waker() {
    explore(|| {
        let token = CancellationToken::new();
        let mut wait = token.cancelled();
        let (bell, waker) = Bell::new();
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        let was_ready = poll(&mut wait, &waker).is_ready() || poll(&mut wait, &waker).is_ready();
        other.join().unwrap();
        assert!(was_ready || bell.has_rung());
    });
}

#[test]
fn law_t9_a_waiter_that_goes_takes_no_other_with_it() {
    explore(|| {
        let token = CancellationToken::new();
        let (_, going_waker) = Bell::new();
        let (staying_bell, staying_waker) = Bell::new();
        let mut going = token.clone().cancelled_owned();
        let mut staying = token.clone().cancelled_owned();
        assert!(poll(&mut going, &going_waker).is_pending());
        assert!(poll(&mut staying, &staying_waker).is_pending());
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        drop(going);
        // Takes the place that the one before has left.
        let (bell, waker) = Bell::new();
        let mut coming = token.cancelled();
        let polled = poll(&mut coming, &waker);
        other.join().unwrap();
        assert!(staying_bell.has_rung());
        assert!(polled.is_ready() || bell.has_rung());
    });
}

#[test]
fn law_t9_a_second_waiter_that_goes_takes_no_other_with_it() {
    explore(|| {
        let token = CancellationToken::new();
        let (_, going_waker) = Bell::new();
        let (staying_bell, staying_waker) = Bell::new();
        let mut staying = token.clone().cancelled_owned();
        let mut going = token.clone().cancelled_owned();
        assert!(poll(&mut staying, &staying_waker).is_pending());
        assert!(poll(&mut going, &going_waker).is_pending());
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        drop(going);
        other.join().unwrap();
        assert!(staying_bell.has_rung());
    });
}

#[test]
fn law_t9_block_on() {
    explore(|| {
        let token = CancellationToken::new();
        let other = start({
            let token = token.clone();
            move || token.cancel_with("there")
        });
        let why = block_on(token.cancelled());
        assert_eq!(why.message(), "there");
        other.join().unwrap();
    });
}

#[test]
fn law_t9_run_until_cancelled() {
    explore(|| {
        let token = CancellationToken::new();
        let other = start({
            let token = token.clone();
            move || token.cancel()
        });
        assert!(block_on(token.run_until_cancelled(std::future::pending::<()>())).is_err());
        other.join().unwrap();
    });
}

#[test]
fn law_t9_a_blocked_thread() {
    explore(|| {
        let token = CancellationToken::new();
        let other = start({
            let token = token.clone();
            move || token.blocking_cancelled()
        });
        token.cancel_with("here");
        assert_eq!(other.join().unwrap().message(), "here");
    });
}
