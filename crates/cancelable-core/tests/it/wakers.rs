//! Waits, by hand: who is registered, who is woken, and what a woken one may do (T8, T9).

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use cancelable_core::{CancellationToken, Reason, WakerSlot};

use super::support::{Counter, Dice, poll_with, waker_fn};

/// How many clones of the waker there are beside the test's own two pointers.
fn registered(counter: &Arc<Counter>) -> usize {
    Arc::strong_count(counter) - 2
}

#[test]
fn law_t9_the_same_waker_is_registered_once_and_woken_once() {
    let token = CancellationToken::new();
    let counter = Counter::new();
    let waker = counter.waker();
    let (mut first, mut second) = (token.cancelled(), token.cancelled());
    for _ in 0..3 {
        assert!(poll_with(&mut first, &waker).is_pending());
        assert!(poll_with(&mut second, &waker).is_pending());
        assert_eq!(registered(&counter), 2);
    }
    token.cancel();
    assert_eq!((counter.wakes(), registered(&counter)), (2, 0));
    assert!(poll_with(&mut first, &waker).is_ready());
    token.cancel();
    assert_eq!(counter.wakes(), 2);
}

#[test]
fn law_t9_only_the_newest_waker_is_woken() {
    let token = CancellationToken::new();
    // The first waiter stands in a place of its own; so try one before and one behind it.
    let mut waits = [token.cancelled(), token.cancelled(), token.cancelled()];
    let counters: Vec<_> = (0..4).map(|_| Counter::new()).collect();
    for counter in &counters {
        let waker = counter.waker();
        for wait in &mut waits {
            assert!(poll_with(wait, &waker).is_pending());
        }
        assert_eq!(registered(counter), 3);
    }
    token.cancel();
    let wakes: Vec<_> = counters.iter().map(|counter| counter.wakes()).collect();
    assert_eq!(wakes, [0, 0, 0, 3]);
}

#[test]
fn law_t9_the_dropped_are_not_woken_and_the_others_are() {
    let token = CancellationToken::new();
    let counters: Vec<_> = (0..500).map(|_| Counter::new()).collect();
    let mut waits = Vec::new();
    for (number, counter) in counters.iter().enumerate() {
        let mut wait = token.clone().cancelled_owned();
        assert!(poll_with(&mut wait, &counter.waker()).is_pending());
        waits.push((number, wait));
    }
    Dice::seeded(3).shuffle(&mut waits);
    let dropped: Vec<_> = waits.drain(..250).map(|(number, _)| number).collect();
    // Their places are taken by others.
    let late = Counter::new();
    let mut late_waits: Vec<_> = (0..100).map(|_| token.cancelled()).collect();
    for wait in &mut late_waits {
        assert!(poll_with(wait, &late.waker()).is_pending());
    }
    token.cancel();
    for (number, counter) in counters.iter().enumerate() {
        assert_eq!(counter.wakes(), usize::from(!dropped.contains(&number)));
        assert_eq!(Arc::strong_count(counter), 1);
    }
    assert_eq!(late.wakes(), 100);
}

#[test]
fn law_t8_a_waker_may_use_the_token() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let waker = waker_fn({
        let (token, seen) = (Mutex::new(Some(token.clone())), Arc::clone(&seen));
        move || {
            let token = token.lock().unwrap().take().expect("woken once");
            assert!(!token.cancel());
            assert!(token.child_token().is_cancelled());
            assert!(poll_with(&mut token.cancelled(), Waker::noop()).is_ready());
            token
                .on_cancel({
                    let seen = Arc::clone(&seen);
                    move |_| seen.lock().unwrap().push("late")
                })
                .detach();
            token.link(&CancellationToken::new());
            drop(token);
            seen.lock().unwrap().push("woken");
        }
    });
    let mut wait = child.cancelled();
    assert!(poll_with(&mut wait, &waker).is_pending());
    assert!(token.cancel());
    drop(token);
    assert_eq!(*seen.lock().unwrap(), ["late", "woken"]);
}

#[test]
fn law_t9_run_until_cancelled_polls_the_body_first() {
    let polls = Cell::new(0);
    let pending = || {
        poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        })
    };

    let cancelled = CancellationToken::new();
    cancelled.cancel_with(Reason::Shutdown);
    let early = poll_with(
        &mut pin!(cancelled.run_until_cancelled(pending())),
        Waker::noop(),
    );
    let early_owned = poll_with(
        &mut pin!(cancelled.clone().run_until_cancelled_owned(pending())),
        Waker::noop(),
    );
    for early in [early, early_owned] {
        assert!(matches!(early, Poll::Ready(Err(why)) if why.reason() == Reason::Shutdown));
    }
    assert_eq!(polls.get(), 0);

    let token = CancellationToken::new();
    let counter = Counter::new();
    let waker = counter.waker();
    let mut run = pin!(token.run_until_cancelled(pending()));
    let mut owned = pin!(token.clone().run_until_cancelled_owned(pending()));
    assert!(poll_with(&mut run, &waker).is_pending() && poll_with(&mut owned, &waker).is_pending());
    token.cancel();
    assert_eq!((polls.get(), counter.wakes()), (2, 2));
    assert_eq!(
        poll_with(&mut run, &waker),
        Poll::Ready(Err(token.cancellation().unwrap()))
    );
    assert_eq!(
        poll_with(&mut owned, &waker),
        Poll::Ready(Err(token.cancellation().unwrap()))
    );
    assert_eq!(polls.get(), 4);
}

#[test]
fn law_t9_a_body_that_is_done_as_it_is_cancelled_counts_as_done() {
    let token = CancellationToken::new();
    let body = || {
        poll_fn(|_: &mut Context<'_>| {
            token.cancel();
            Poll::Ready("done")
        })
    };
    let mut run = pin!(token.run_until_cancelled(body()));
    assert_eq!(poll_with(&mut run, Waker::noop()), Poll::Ready(Ok("done")));

    // Cancelled between two polls, and done by the second.
    let token = CancellationToken::new();
    let mut is_second = false;
    let mut body = move |_: &mut Context<'_>| match std::mem::replace(&mut is_second, true) {
        true => Poll::Ready("done"),
        false => Poll::Pending,
    };
    let counter = Counter::new();
    let mut run: Pin<Box<dyn Future<Output = _>>> = Box::pin(
        token
            .clone()
            .run_until_cancelled_owned(poll_fn(move |cx| body(cx))),
    );
    assert!(poll_with(&mut run, &counter.waker()).is_pending());
    token.cancel();
    assert_eq!(poll_with(&mut run, Waker::noop()), Poll::Ready(Ok("done")));

    // One that is done takes its waker back when it is dropped.
    let token = CancellationToken::new();
    let mut run = Box::pin(token.run_until_cancelled(poll_fn(|_| Poll::<()>::Pending)));
    let waker = counter.waker();
    assert!(poll_with(&mut run, &waker).is_pending());
    assert_eq!(registered(&counter), 1);
    drop(run);
    assert_eq!(registered(&counter), 0);
}

#[test]
fn law_t6_a_slot_that_is_cleared_leaves_no_waker() {
    let (token, other) = (CancellationToken::new(), CancellationToken::new());
    let counter = Counter::new();
    let waker = counter.waker();
    let poll = |token: &CancellationToken, slot: &mut WakerSlot| {
        token.poll_cancelled(slot, &mut Context::from_waker(&waker))
    };
    let mut slot = WakerSlot::new();
    slot.clear(&other);
    assert!(poll(&token, &mut slot).is_pending());
    assert_eq!(registered(&counter), 1);
    slot.clear(&token);
    assert_eq!(registered(&counter), 0);
    // Cleared, it is as good as new.
    assert!(poll(&other, &mut slot).is_pending());
    other.cancel();
    assert_eq!((counter.wakes(), registered(&counter)), (1, 0));
    assert!(poll(&other, &mut slot).is_ready());
}

#[test]
fn a_slot_belongs_to_one_token_until_it_is_cleared() {
    let (token, other) = (CancellationToken::new(), CancellationToken::new());
    for wrong in [
        |other: &CancellationToken, slot: &mut WakerSlot| slot.clear(other),
        |other: &CancellationToken, slot: &mut WakerSlot| {
            let _ = other.poll_cancelled(slot, &mut Context::from_waker(Waker::noop()));
        },
    ] {
        let mut slot = WakerSlot::new();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(token.poll_cancelled(&mut slot, &mut cx).is_pending());
        let wrong = catch_unwind(AssertUnwindSafe(|| wrong(&other, &mut slot)));
        let said = wrong.unwrap_err();
        let said = said.downcast_ref::<&str>().expect("a plain message");
        assert!(said.contains("clear it there before another"), "{said}");
        slot.clear(&token);
    }
}
