//! Deadlines on the machine's own clock: never early, which one counts, and that nothing else holds them up (T11).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Waker;
use std::time::{Duration, Instant};

use cancelable_core::{Cancellation, CancellationToken, Origin, Reason};

use super::support::{Dice, OnDrop, poll_with, waker_fn};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A new token with this deadline.
pub(crate) fn timed(after: Duration) -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel_after(after);
    token
}

#[test]
fn law_t11_never_early() {
    let mut dice = Dice::seeded(11);
    let (tell, told) = mpsc::channel();
    let tokens: Vec<_> = (0..300)
        .map(|_| {
            let after = Duration::from_micros(dice.below(30_000) as u64 + 1);
            let token = CancellationToken::new();
            let tell = tell.clone();
            let start = Instant::now();
            token
                .on_cancel(move |why| tell.send((after, start.elapsed(), why.clone())).unwrap())
                .detach();
            token.cancel_after(after);
            token
        })
        .collect();
    drop(tell);
    let mut fired = 0;
    for (after, took, why) in told {
        assert!(took >= after, "{took:?} instead of {after:?}");
        assert_eq!(why.origin(), &Origin::timeout(after));
        fired += 1;
    }
    assert_eq!(fired, tokens.len());
}

#[test]
fn law_t11_zero_the_past_and_the_end_of_time() {
    let zero = timed(Duration::ZERO);
    assert_eq!(zero.cancellation().unwrap().reason(), Reason::Timeout);
    let past = CancellationToken::new();
    past.cancel_at(Instant::now() - millis(1));
    assert_eq!(past.cancellation().unwrap().reason(), Reason::Timeout);

    let token = timed(Duration::MAX);
    assert_eq!((token.deadline(), token.remaining()), (None, None));
    // As far as an instant goes, which has to be found out.
    let farthest = (0..64).rev().fold(Instant::now(), |at, bit| {
        at.checked_add(Duration::from_secs(1 << bit)).unwrap_or(at)
    });
    token.cancel_at(farthest);
    assert_eq!(token.deadline(), Some(farthest));
    token.cancel_after(millis(2));
    assert_eq!(token.blocking_cancelled().message(), "timed out after 2ms");
}

#[test]
fn law_t11_a_slow_callback_delays_no_other_deadline() {
    let slow: Vec<_> = (0..3).map(|_| CancellationToken::new()).collect();
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(std::sync::Mutex::new(held));
    let (tell, told) = mpsc::channel();
    for token in &slow {
        let (tell, held) = (tell.clone(), Arc::clone(&held));
        token
            .on_cancel(move |_| {
                tell.send(()).unwrap();
                let _ = held.lock().unwrap().recv();
            })
            .detach();
        token.cancel_after(millis(2));
    }
    for _ in &slow {
        told.recv().unwrap();
    }
    // All three are in the middle of their callbacks, for as long as it takes the others.
    let other = timed(millis(2));
    other.on_cancel(move |_| tell.send(()).unwrap()).detach();
    assert_eq!(other.blocking_cancelled().reason(), Reason::Timeout);
    told.recv().unwrap();
    drop(release);
}

#[test]
fn law_t11_dropping_all_handles_disarms() {
    let was_called = Arc::new(AtomicBool::new(false));
    let (tell, told) = mpsc::channel();
    let token = timed(millis(20));
    token
        .on_cancel({
            let was_called = Arc::clone(&was_called);
            let gone = OnDrop(move || tell.send(()).unwrap());
            move |_| {
                was_called.store(true, Ordering::SeqCst);
                drop(gone);
            }
        })
        .detach();
    let clone = token.clone();
    drop(token);
    told.try_recv().unwrap_err();
    drop(clone);
    told.try_recv().expect("gone with the last handle");
    // One that is due later has fired: so what was before it is over.
    timed(millis(25)).blocking_cancelled();
    assert!(!was_called.load(Ordering::SeqCst));

    // A child is enough to hold it.
    let token = timed(millis(5));
    let child = token.child_token();
    drop(token);
    assert_eq!(
        child.blocking_cancelled().root_cause().reason(),
        Reason::Timeout
    );
}

#[test]
fn law_t11_a_panic_ends_no_other_deadline() {
    let token = timed(millis(2));
    token.on_cancel(|_| panic!("on purpose")).detach();
    let mut wait = token.cancelled();
    let waker = waker_fn(|| panic!("on purpose"));
    let _ = poll_with(&mut wait, &waker);
    let later = timed(millis(6));
    let (tell, told) = mpsc::channel();
    later
        .on_cancel(move |why| tell.send(why.clone()).unwrap())
        .detach();
    assert_eq!(told.recv().ok(), Some(later.blocking_cancelled()));
    assert!(token.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn law_t11_a_deadline_fires_on_a_paused_runtime() {
    let token = timed(millis(5));
    let child = token.child_token();
    let waiting = tokio::spawn(async move { child.cancelled().await });
    assert_eq!(token.cancelled().await.reason(), Reason::Timeout);
    assert_eq!(waiting.await.unwrap().reason(), Reason::Parent);
}

#[tokio::test]
async fn law_t11_a_deadline_fires_on_a_blocked_runtime() {
    let token = timed(millis(5));
    let waiting = tokio::spawn({
        let token = token.clone();
        async move { token.cancelled().await }
    });
    // No task of this thread runs before this returns.
    assert_eq!(token.blocking_cancelled().reason(), Reason::Timeout);
    assert_eq!(waiting.await.unwrap(), token.cancellation().unwrap());
}

#[test]
fn law_t11_a_wait_with_a_timeout_is_not_a_deadline() {
    let token = CancellationToken::new();
    let start = Instant::now();
    assert_eq!(token.blocking_cancelled_timeout(millis(5)), None);
    assert!(start.elapsed() >= millis(5));
    assert!(!token.is_cancelled());
    assert_eq!(token.deadline(), None);
    token.cancel_with(Cancellation::manual("over"));
    assert_eq!(
        token.blocking_cancelled_timeout(Duration::ZERO),
        token.cancellation()
    );
    assert!(poll_with(&mut token.cancelled(), Waker::noop()).is_ready());
}
