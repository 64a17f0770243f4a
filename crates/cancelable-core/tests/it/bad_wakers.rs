//! Wakers whose clones lie elsewhere, and wakers that panic wherever user code runs (T8, T9).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use cancelable_core::CancellationToken;
use cooked_waker::{IntoWaker, Wake, WakeRef};

use super::support::{Counter, poll_with};

/// A waker each clone of which lies elsewhere, and which does as it is told.
#[derive(Clone)]
struct Moving<F: Fn(Event) + Clone + Send + Sync + 'static>(F, Presence<F>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Clone,
    Wake,
    Drop,
}

/// Tells of clones and drops.
struct Presence<F: Fn(Event)>(F);

impl<F: Fn(Event) + Clone> Clone for Presence<F> {
    fn clone(&self) -> Self {
        (self.0)(Event::Clone);
        Self(self.0.clone())
    }
}

impl<F: Fn(Event)> Drop for Presence<F> {
    fn drop(&mut self) {
        (self.0)(Event::Drop);
    }
}

impl<F: Fn(Event) + Clone + Send + Sync + 'static> WakeRef for Moving<F> {
    fn wake_by_ref(&self) {
        (self.0)(Event::Wake);
    }
}

impl<F: Fn(Event) + Clone + Send + Sync + 'static> Wake for Moving<F> {}

fn moving(on: impl Fn(Event) + Clone + Send + Sync + 'static) -> Waker {
    Box::new(Moving(on.clone(), Presence(on))).into_waker()
}

#[test]
fn law_t9_a_waker_is_not_taken_for_one_that_lay_there_before() {
    for _ in 0..100 {
        let token = CancellationToken::new();
        let mut wait = token.cancelled();
        let last_woken = Arc::new(AtomicUsize::new(0));
        for number in 1..4 {
            // Dropped before the next is made, which then most likely lies in the same place.
            let waker = moving({
                let last_woken = Arc::clone(&last_woken);
                move |event| {
                    if event == Event::Wake {
                        last_woken.store(number, Ordering::SeqCst);
                    }
                }
            });
            assert!(poll_with(&mut wait, &waker).is_pending());
        }
        token.cancel();
        assert_eq!(last_woken.load(Ordering::SeqCst), 3);
    }
}

/// Panics at `bad` while armed.
fn bad_waker(bad: Event, is_armed: &Arc<AtomicBool>) -> Waker {
    let is_armed = Arc::clone(is_armed);
    moving(move |event| {
        assert!(
            event != bad || !is_armed.swap(false, Ordering::SeqCst),
            "on purpose"
        );
    })
}

#[test]
fn law_t8_a_waker_that_panics_stops_nobody() {
    for bad in [Event::Wake, Event::Drop] {
        let token = CancellationToken::new();
        let is_armed = Arc::new(AtomicBool::new(false));
        let (before, after) = (Counter::new(), Counter::new());
        let mut waits = [token.cancelled(), token.cancelled(), token.cancelled()];
        assert!(poll_with(&mut waits[0], &before.waker()).is_pending());
        assert!(poll_with(&mut waits[1], &bad_waker(bad, &is_armed)).is_pending());
        assert!(poll_with(&mut waits[2], &after.waker()).is_pending());
        let calls = Counter::new();
        token
            .on_cancel({
                let waker = calls.waker();
                move |_| waker.wake()
            })
            .detach();
        is_armed.store(true, Ordering::SeqCst);
        assert!(token.cancel());
        assert!(!is_armed.load(Ordering::SeqCst), "it did panic");
        assert_eq!((before.wakes(), after.wakes(), calls.wakes()), (1, 1, 1));
    }
}

#[test]
fn law_t8_a_waker_that_panics_in_a_poll_leaves_the_token_whole() {
    for (bad, is_first) in [
        (Event::Clone, true),
        (Event::Clone, false),
        (Event::Drop, true),
        (Event::Drop, false),
    ] {
        let token = CancellationToken::new();
        let is_armed = Arc::new(AtomicBool::new(bad == Event::Clone));
        let mut others = token.cancelled();
        if !is_first {
            assert!(poll_with(&mut others, Waker::noop()).is_pending());
        }
        let mut wait = token.cancelled();
        let counter = Counter::new();
        if bad == Event::Clone {
            let waker = bad_waker(bad, &is_armed);
            catch_unwind(AssertUnwindSafe(|| poll_with(&mut wait, &waker))).unwrap_err();
            assert!(poll_with(&mut wait, &counter.waker()).is_pending());
        } else {
            assert!(poll_with(&mut wait, &bad_waker(bad, &is_armed)).is_pending());
            is_armed.store(true, Ordering::SeqCst);
            // The old one is dropped in favour of the new one, which counts.
            catch_unwind(AssertUnwindSafe(|| poll_with(&mut wait, &counter.waker()))).unwrap_err();
        }
        assert!(token.cancel());
        assert_eq!(counter.wakes(), 1);
    }
}

#[test]
fn law_t8_wakers_are_cloned_and_dropped_outside_the_locks() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let events = Arc::new(AtomicUsize::new(0));
    let waker = moving({
        let (token, child, events) = (token.clone(), child.downgrade(), Arc::clone(&events));
        move |_| {
            // Each of these wants the lock of the one or the other.
            drop(token.child_token());
            let _ = child
                .upgrade()
                .map(|child| (child.deadline(), child.child_token()));
            events.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (mut first, mut second) = (child.cancelled(), child.cancelled());
    for wait in [&mut first, &mut second] {
        assert!(poll_with(wait, &waker).is_pending());
        assert!(poll_with(wait, Waker::noop()).is_pending());
        assert!(poll_with(wait, &waker).is_pending());
    }
    drop(first);
    let before = events.swap(0, Ordering::SeqCst);
    assert_eq!(before, 4 + 3, "clones and drops");
    assert!(token.cancel());
    assert_eq!(
        events.load(Ordering::SeqCst),
        2,
        "a wake, and the drop that it ends with"
    );
}
