//! The future that drives an operation: polls the body, then asks whether it is to stop.
//!
//! # States
//!
//! | `plan` | `operation` | `body` | `rare.settling` | state |
//! |---|---|---|---|---|
//! | some | none | none | none | not started: nothing runs, and dropping it is no event |
//! | none | some | some | none | running; also asked to stop, in its grace or in a shielded section |
//! | none | some | none | some | settling: tasks and threads leave, finalizers run |
//! | none | none | none | some | settled, and pending once more for an end that waits outside |
//! | none | none | none | none | ended |
//!
//! While the body is made, polled or dropped, the operation itself stands on the thread's stack of current ones, and here
//! there is none; nothing that can unwind stands between taking it and giving it back but what is caught.
//!
//! # Order
//!
//! A poll polls the body first and asks then (O2); what asks is cheap first: the token, the time limit, the sources. A
//! cancel marks the subtree before the body is dropped (O8), and the status is set after that, and after all that is settled
//! (O1).

mod ending;

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::WakerSlot;
use pin_project_lite::pin_project;
use tokio::task::{Unconstrained, unconstrained};
use tokio::time::{Sleep, sleep_until};

use super::outcome::Outcome;
use super::settle::Settle;
use super::start::{Started, Watch, out_of_time, start};
use super::verdict::Verdict;
use crate::builder::Cancelable;
use crate::operation::current;
use crate::operation::{Duties, Ending, Farewell, Held, Operation};
use crate::panic::{self};

pin_project! {
    #[project = DriveProjection]
    pub(super) struct Drive<F, Fut, V>
    where
        Fut: Future,
        V: Verdict<Fut::Output>,
    {
        plan: Option<Plan<F>>,
        driver: Driver<V::Output>,
        #[pin]
        body: Option<Fut>,
        // Outside the budget of cooperative scheduling: a body that uses up its budget in every poll must not thereby
        // escape its time limit. Once the operation was asked to stop, this is the end of its grace.
        #[pin]
        limit: Option<Unconstrained<Sleep>>,
        verdict: PhantomData<fn() -> V>,
    }

    impl<F, Fut, V> PinnedDrop for Drive<F, Fut, V>
    where
        Fut: Future,
        V: Verdict<Fut::Output>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(operation) = this.driver.operation.take() {
                this.dropped(operation);
            }
        }
    }
}

/// What is run, before it has started.
struct Plan<F> {
    how: Cancelable,
    make_body: F,
}

/// What is kept beside a body.
struct Driver<T> {
    operation: Option<Operation>,
    waker: WakerSlot,
    /// `None` where it has nothing of that.
    rare: Option<Box<Rare<T>>>,
}

/// What not every operation has.
struct Rare<T> {
    /// `None` where nothing but tokens and the limit may cancel it.
    watch: Option<Box<Watch>>,
    /// Has what encloses it poll it once more before dropping it.
    farewell: Option<Farewell>,
    is_in_grace: bool,
    settling: Option<Settling<T>>,
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self {
            watch: None,
            farewell: None,
            is_in_grace: false,
            settling: None,
        }
    }
}

/// An operation whose body is gone, and which has not ended.
struct Settling<T> {
    outcome: Outcome<T>,
    settle: Settle,
    /// Nothing that encloses it drops it now.
    shield: Option<Held>,
}

impl<F, Fut, V> Drive<F, Fut, V>
where
    F: FnOnce(Operation) -> Fut,
    Fut: Future,
    V: Verdict<Fut::Output>,
{
    #[inline]
    pub(super) fn new(how: Cancelable, make_body: F) -> Self {
        Self {
            plan: Some(Plan { how, make_body }),
            driver: Driver {
                operation: None,
                waker: WakerSlot::new(),
                rare: None,
            },
            body: None,
            limit: None,
            verdict: PhantomData,
        }
    }
}

impl<F, Fut, V> Future for Drive<F, Fut, V>
where
    F: FnOnce(Operation) -> Fut,
    Fut: Future,
    V: Verdict<Fut::Output>,
{
    type Output = V::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<V::Output> {
        let mut this = self.project();
        if this.driver.is_settling() {
            return this.poll_settling(cx);
        }
        let (operation, make_body) = match this.driver.operation.take() {
            Some(operation) => (operation, None),
            None => {
                let plan = this.plan.as_mut().expect("polled after it has ended");
                // Started where it lies: what would be moved out is most of this future.
                let started = this.driver.start(&mut plan.how);
                let make_body = this.plan.take().map(|plan| plan.make_body);
                match started {
                    Ok(operation) => (operation, make_body),
                    Err((operation, outcome)) => {
                        drop(make_body);
                        let ending = outcome.ending_without_body();
                        return this.conclude(operation, ending, outcome, cx);
                    }
                }
            }
        };
        let made = make_body.map(|make_body| (make_body, operation.clone()));
        let entered = current::enter_body(operation);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let Some((make_body, handle)) = made {
                this.body.set(Some(make_body(handle)));
            }
            let body = this.body.as_mut().as_pin_mut();
            let polled = body.expect("an operation that runs has a body").poll(cx);
            if polled.is_ready() {
                this.body.set(None);
            }
            polled
        }));
        let operation = entered.leave();
        match polled {
            Ok(Poll::Ready(value)) => {
                if operation.is_unseen() {
                    this.end_unseen(operation);
                    return Poll::Ready(V::returned(value));
                }
                let ending = V::ending(&value, operation.is_cancelled());
                let outcome = Outcome::Ended(V::returned(value));
                this.conclude(operation, ending, outcome, cx)
            }
            // Caught as well: a limit that no runtime can watch panics here.
            Ok(Poll::Pending) => {
                let is_to_go = catch_unwind(AssertUnwindSafe(|| {
                    this.is_to_stop(&operation, cx) && !this.is_spared(&operation, cx)
                }));
                match is_to_go {
                    Ok(true) => {
                        let why = operation.cancellation();
                        let why = Outcome::Cancelled(why.expect("it is to stop: cancelled"));
                        this.drop_body_and_conclude(operation, Ending::Cancelled, why, cx)
                    }
                    Ok(false) => {
                        this.ask_for_farewell(&operation);
                        this.driver.operation = Some(operation);
                        Poll::Pending
                    }
                    Err(payload) => {
                        let ending = Ending::Failed(panic::said(&*payload));
                        let outcome = Outcome::Panicked(payload);
                        this.drop_body_and_conclude(operation, ending, outcome, cx)
                    }
                }
            }
            Err(payload) => {
                let ending = Ending::Failed(panic::said(&*payload));
                let outcome = Outcome::Panicked(payload);
                this.drop_body_and_conclude(operation, ending, outcome, cx)
            }
        }
    }
}

impl<T> Driver<T> {
    fn is_settling(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.settling.is_some())
    }

    fn watch(&mut self) -> Option<&mut Watch> {
        self.rare.as_mut()?.watch.as_deref_mut()
    }

    /// From "not started" to "running"; or why there will be no body.
    #[inline]
    fn start(&mut self, how: &mut Cancelable) -> Result<Operation, (Operation, Outcome<T>)> {
        let Started { operation, watch } = start(how);
        if let Some(mut watch) = watch {
            let panicked = watch.take_panic();
            self.rare.get_or_insert_default().watch = Some(watch);
            if let Some(payload) = panicked {
                return Err((operation, Outcome::Panicked(payload)));
            }
        }
        if operation.is_cancelled() {
            let why = operation.cancellation();
            let why = Outcome::Cancelled(why.expect("it is cancelled"));
            return Err((operation, why));
        }
        operation.record.set_running();
        if operation.record.is_eventful() {
            operation.record.call_on_start();
        }
        Ok(operation)
    }
}

impl<F, Fut, V> DriveProjection<'_, F, Fut, V>
where
    Fut: Future,
    V: Verdict<Fut::Output>,
{
    /// Whether the operation was asked to stop, or is asked to here and now; if not, whoever asks later wakes the task.
    fn is_to_stop(&mut self, operation: &Operation, cx: &mut Context<'_>) -> bool {
        let record = &operation.record;
        let is_only = operation.is_only_handle();
        if record
            .poll_asked(is_only, &mut self.driver.waker, cx)
            .is_ready()
        {
            return true;
        }
        let mut over = None;
        if let Some(deadline) = record.deadline {
            if self.limit.is_none() {
                let limit = unconstrained(sleep_until(deadline));
                self.limit.set(Some(limit));
            }
            let limit = self.limit.as_mut().as_pin_mut();
            if limit.expect("set above").poll(cx).is_ready() {
                over = Some(deadline);
            }
        }
        // A source that was due before the limit fired first (O2), though both are found now.
        let watch = self.driver.watch();
        let watch = watch.filter(|watch| over.is_none_or(|limit| watch.was_due_before(limit)));
        if let Some(watch) = watch
            && let Poll::Ready(why) = watch.poll(record, cx)
        {
            operation.cancel_with(why);
            return true;
        }
        if let Some(deadline) = over {
            out_of_time(operation, deadline);
        }
        over.is_some()
    }

    /// An operation that owes something wants to be polled when it is asked to stop, also where what encloses it stops at once.
    #[inline]
    fn ask_for_farewell(&mut self, operation: &Operation) {
        let Some(duties) = operation.record.duties_if_any() else {
            return;
        };
        let has_asked = self
            .driver
            .rare
            .as_ref()
            .is_some_and(|rare| rare.farewell.is_some());
        if !has_asked && duties.is_owing() {
            self.driver.rare.get_or_insert_default().farewell = Some(Farewell::here());
        }
    }

    /// Whether the body may go on for now, though it was asked to stop: in its grace, or in a shielded section. The task is
    /// woken when that is over.
    fn is_spared(&mut self, operation: &Operation, cx: &mut Context<'_>) -> bool {
        match operation.record.duties_if_any() {
            Some(duties) => self.is_spared_by(duties, operation, cx),
            None => false,
        }
    }

    #[cold]
    fn is_spared_by(
        &mut self,
        duties: &Duties,
        operation: &Operation,
        cx: &mut Context<'_>,
    ) -> bool {
        operation.record.notice_ask();
        if let Some(watch) = self.driver.watch() {
            watch.let_go(operation);
        }
        if let Some(grace) = operation.record.grace() {
            let rare = self.driver.rare.get_or_insert_default();
            if !rare.is_in_grace {
                rare.is_in_grace = true;
                let asked = operation.record.noticed_ask();
                let end = asked.and_then(|asked| asked.checked_add(grace));
                self.limit
                    .set(end.map(|end| unconstrained(sleep_until(end))));
            }
            let end = self.limit.as_mut().as_pin_mut();
            // One so long that it has no end is never over.
            if end.is_none_or(|end| end.poll(cx).is_pending()) {
                return true;
            }
            duties.mercy_ends().cancel();
        }
        duties.shields().spare(cx)
    }
}
