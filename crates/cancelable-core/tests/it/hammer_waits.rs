//! Real threads that wait while others cancel: what they see, and that they end (T2, T9).
//!
//! A lost wake-up hangs a round, and with it the test.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use cancelable_core::{Cancellation, CancellationToken, Reason};

use super::rounds::{ROUNDS, rounds};
use super::support::waker_fn;

struct Written {
    token: CancellationToken,
    /// Written and read without any order of its own.
    data: AtomicUsize,
}

#[test]
fn law_t2_what_was_written_before_is_seen_by_whoever_sees_the_cancel() {
    fn write(written: &Written, _: usize) -> usize {
        written.data.store(1, Ordering::Relaxed);
        written.token.cancel();
        1
    }
    fn spin(written: &Written, _: usize) -> usize {
        let child = written.token.child_token();
        while !child.is_cancelled() {
            std::hint::spin_loop();
        }
        written.data.load(Ordering::Relaxed)
    }
    fn block(written: &Written, _: usize) -> usize {
        written.token.blocking_cancelled();
        written.data.load(Ordering::Relaxed)
    }
    rounds(
        ROUNDS,
        |_| Written {
            token: CancellationToken::new(),
            data: AtomicUsize::new(0),
        },
        &[write, spin, block],
        |_, seen| {
            assert_eq!(seen, [1, 1, 1]);
        },
    );
}

/// Polls by hand, and between two polls waits to be woken, so a wake-up that is lost hangs.
fn wait_by_hand(token: &CancellationToken) -> Cancellation {
    let bell = Arc::new((Mutex::new(false), Condvar::new()));
    let waker = waker_fn({
        let bell = Arc::clone(&bell);
        move || {
            *bell.0.lock().unwrap() = true;
            bell.1.notify_one();
        }
    });
    let mut wait = pin!(token.cancelled());
    loop {
        if let Poll::Ready(why) = wait.as_mut().poll(&mut Context::from_waker(&waker)) {
            return why;
        }
        let mut rung = bell.0.lock().unwrap();
        while !*rung {
            rung = bell.1.wait(rung).unwrap();
        }
        *rung = false;
    }
}

#[test]
fn law_t9_every_waiter_ends() {
    fn cancel(token: &CancellationToken, _: usize) -> Reason {
        token.cancel();
        token.cancellation().unwrap().reason()
    }
    fn by_hand(token: &CancellationToken, _: usize) -> Reason {
        let child = token.child_token().child_token();
        let other = token.cancelled();
        drop(other);
        wait_by_hand(&child).reason()
    }
    fn blocked(token: &CancellationToken, _: usize) -> Reason {
        let linked = CancellationToken::linked([token]);
        let all = CancellationToken::all_of([&linked, token]);
        all.blocking_cancelled().reason()
    }
    fn with_timeout(token: &CancellationToken, _: usize) -> Reason {
        let hour = Duration::from_secs(3600);
        let _ = token.blocking_cancelled_timeout(Duration::from_nanos(1));
        token
            .blocking_cancelled_timeout(hour)
            .expect("before an hour has passed")
            .reason()
    }
    rounds(
        ROUNDS,
        |_| CancellationToken::new(),
        &[cancel, by_hand, blocked, with_timeout],
        |_, reasons| {
            assert_eq!(
                reasons,
                [
                    Reason::Manual,
                    Reason::Parent,
                    Reason::Manual,
                    Reason::Manual
                ]
            );
        },
    );
}
