//! The future that drives an operation: polls the body, then asks whether it is to stop.
//!
//! # States
//!
//! | `plan`, `make_body` | `operation` | `body` | state |
//! |---|---|---|---|
//! | some | none | none | not started: nothing runs, and dropping it is no event |
//! | none | some | some | running |
//! | none | none | none | ended |
//!
//! While the body is made, polled or dropped, the operation itself stands on the thread's stack of current ones, and here
//! there is none; nothing that can unwind stands between taking it and giving it back but what is caught.
//!
//! # Order
//!
//! A poll polls the body first and asks then (O2); what asks is cheap first: the token, the time limit, the sources. A
//! cancel marks the subtree before the body is dropped (O8), and the status is set after that (O1).

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cancelable_core::{Cancellation, Origin, WakerSlot};
use pin_project_lite::pin_project;
use tokio::task::Unconstrained;
use tokio::time::{Sleep, sleep_until};

use super::start::{Started, Watch, out_of_time, start};
use super::verdict::Verdict;
use crate::builder::Cancelable;
use crate::operation::{Ending, Operation, current};
use crate::panic;

pin_project! {
    #[project = DriveProjection]
    pub(super) struct Drive<F, Fut, V> {
        plan: Option<Cancelable>,
        make_body: Option<F>,
        operation: Option<Operation>,
        is_heard: bool,
        #[pin]
        body: Option<Fut>,
        waker: WakerSlot,
        // Outside the budget of cooperative scheduling: a body that uses up its budget in every poll must not thereby
        // escape its time limit.
        #[pin]
        limit: Option<Unconstrained<Sleep>>,
        // `None` where nothing but tokens and the limit may cancel it.
        watch: Option<Box<Watch>>,
        verdict: PhantomData<fn() -> V>,
    }

    impl<F, Fut, V> PinnedDrop for Drive<F, Fut, V> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(operation) = this.operation.take() {
                this.dropped(operation);
            }
        }
    }
}

impl<F, Fut, V> Drive<F, Fut, V> {
    #[inline]
    pub(super) fn new(plan: Cancelable, make_body: F) -> Self {
        Self {
            plan: Some(plan),
            make_body: Some(make_body),
            operation: None,
            is_heard: false,
            body: None,
            waker: WakerSlot::new(),
            limit: None,
            watch: None,
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
        let operation = match this.operation.take() {
            Some(operation) => operation,
            None => {
                let plan = this.plan.take().expect("polled after it has ended");
                match this.start(plan) {
                    Ok(operation) => operation,
                    Err(why) => return Poll::Ready(V::cancelled(why)),
                }
            }
        };
        let handle = this.make_body.is_some().then(|| operation.clone());
        let entered = current::enter(operation);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let (Some(make_body), Some(handle)) = (this.make_body.take(), handle) {
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
                let (ending, output) = V::ended(value, operation.is_cancelled());
                this.end(operation, ending);
                Poll::Ready(output)
            }
            // Caught as well: a limit that no runtime can watch panics here.
            Ok(Poll::Pending) => {
                match catch_unwind(AssertUnwindSafe(|| this.is_to_stop(&operation, cx))) {
                    Ok(true) => {
                        let why = operation.cancellation();
                        this.drop_body_and_end(operation, Ending::Cancelled);
                        Poll::Ready(V::cancelled(why.expect("it is to stop: cancelled")))
                    }
                    Ok(false) => {
                        *this.operation = Some(operation);
                        Poll::Pending
                    }
                    Err(payload) => {
                        let ending = Ending::Failed(panic::said(&*payload));
                        this.drop_body_and_end(operation, ending);
                        resume_unwind(payload)
                    }
                }
            }
            Err(payload) => {
                this.drop_body_and_end(operation, Ending::Failed(panic::said(&*payload)));
                resume_unwind(payload)
            }
        }
    }
}

impl<F, Fut, V> DriveProjection<'_, F, Fut, V> {
    /// From "not started" to "running", or to "ended" if it is cancelled from the start.
    #[inline]
    fn start(&mut self, plan: Cancelable) -> Result<Operation, Cancellation> {
        let Started {
            operation,
            watch,
            is_heard,
        } = start(plan);
        *self.is_heard = is_heard;
        *self.watch = watch;
        if let Some(why) = operation.cancellation() {
            *self.make_body = None;
            self.end(operation, Ending::Cancelled);
            return Err(why);
        }
        operation.record.set_running();
        if is_heard {
            operation.record.call_on_start();
        }
        Ok(operation)
    }

    /// Whether the operation was asked to stop, or is asked to here and now; if not, whoever asks later wakes the task.
    fn is_to_stop(&mut self, operation: &Operation, cx: &mut Context<'_>) -> bool {
        let record = &operation.record;
        if record.poll_asked(self.waker, cx).is_ready() {
            return true;
        }
        let mut over = None;
        if let Some(deadline) = record.deadline {
            if self.limit.is_none() {
                let limit = tokio::task::unconstrained(sleep_until(deadline));
                self.limit.set(Some(limit));
            }
            let limit = self.limit.as_mut().as_pin_mut();
            if limit.expect("set above").poll(cx).is_ready() {
                over = Some(deadline);
            }
        }
        // A source that was due before the limit fired first (O2), though both are found now.
        let watch = self.watch.as_mut();
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

    /// Drops the body, and then ends the operation. If the body's own drop panics, that is how it ended.
    #[cold]
    fn drop_body_and_end(&mut self, operation: Operation, ending: Ending) {
        let entered = current::enter(operation);
        let dropped = catch_unwind(AssertUnwindSafe(|| self.body.set(None)));
        let operation = entered.leave();
        match dropped {
            Ok(()) => self.end(operation, ending),
            Err(payload) => {
                self.end(operation, Ending::Failed(panic::said(&*payload)));
                resume_unwind(payload);
            }
        }
    }

    /// Stops whatever watched over the body, which is gone, and sets the terminal status.
    #[inline]
    fn end(&mut self, operation: Operation, ending: Ending) {
        self.limit.set(None);
        *self.watch = None;
        let record = &operation.record;
        // If this is the last handle and there is nobody to tell, what is written could never be read.
        let is_seen = *self.is_heard || Arc::strong_count(record) > 1;
        // The token may have handles of its own.
        if is_seen || record.token_if_made().is_some() {
            record.stop_waiting(self.waker);
        }
        if is_seen {
            record.end(ending);
        }
    }

    /// The future was dropped while the operation was running (O4): it is cancelled first, and the body goes then.
    #[cold]
    fn dropped(&mut self, operation: Operation) {
        // First wins: one that was asked to stop before keeps that reason.
        operation.cancel_with(Origin::Drop);
        self.drop_body_and_end(operation, Ending::Cancelled);
    }
}
