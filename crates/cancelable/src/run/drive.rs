//! The future that drives an operation: polls the body, then asks whether it is to stop.
//!
//! # States
//!
//! | `plan` | `operation` | `body` | state |
//! |---|---|---|---|
//! | some | none | none | not started: nothing runs, and dropping it is no event |
//! | none | some | some | running |
//! | none | none | none | ended |
//!
//! While the body is polled or dropped, the operation itself stands on the thread's stack of current ones, and here there is
//! none; nothing that can unwind stands between taking it and giving it back but what is caught.
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

use cancelable_core::{Cancellation, CancelledOwned, Origin};
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
        plan: Option<(Cancelable, F)>,
        operation: Option<Operation>,
        is_heard: bool,
        #[pin]
        body: Option<Fut>,
        cancelled: Option<CancelledOwned>,
        // Outside the budget of cooperative scheduling: a body that uses up its budget in every poll must not thereby
        // escape its time limit.
        #[pin]
        limit: Option<Unconstrained<Sleep>>,
        watch: Watch,
        verdict: PhantomData<fn() -> V>,
    }

    impl<F, Fut, V> PinnedDrop for Drive<F, Fut, V> {
        fn drop(this: Pin<&mut Self>) {
            this.project().drop_running();
        }
    }
}

impl<F, Fut, V> Drive<F, Fut, V> {
    pub(super) fn new(plan: Cancelable, make_body: F) -> Self {
        Self {
            plan: Some((plan, make_body)),
            operation: None,
            is_heard: false,
            body: None,
            cancelled: None,
            limit: None,
            watch: Watch::default(),
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
        if let Some((plan, make_body)) = this.plan.take()
            && let Err(why) = this.start(plan, make_body)
        {
            return Poll::Ready(V::cancelled(why));
        }
        let operation = this.operation.take().expect("polled after it has ended");
        let entered = current::enter(operation);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let body = this.body.as_mut().as_pin_mut();
            body.expect("an operation that runs has a body").poll(cx)
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
                        this.end(operation, Ending::Cancelled);
                        Poll::Ready(V::cancelled(why.expect("it is to stop: cancelled")))
                    }
                    Ok(false) => {
                        *this.operation = Some(operation);
                        Poll::Pending
                    }
                    Err(payload) => {
                        this.end(operation, Ending::Failed(panic::said(&*payload)));
                        resume_unwind(payload)
                    }
                }
            }
            Err(payload) => {
                this.end(operation, Ending::Failed(panic::said(&*payload)));
                resume_unwind(payload)
            }
        }
    }
}

impl<F, Fut, V> DriveProjection<'_, F, Fut, V> {
    /// From "not started" to "running", or to "ended" if it is cancelled from the start.
    #[inline]
    fn start(&mut self, plan: Cancelable, make_body: F) -> Result<(), Cancellation>
    where
        F: FnOnce(Operation) -> Fut,
    {
        let Started {
            operation,
            watch,
            is_heard,
        } = start(plan);
        *self.is_heard = is_heard;
        *self.watch = watch;
        if let Some(why) = operation.cancellation() {
            self.end(operation, Ending::Cancelled);
            return Err(why);
        }
        operation.record.set_running();
        if is_heard {
            operation.record.call_on_start();
        }
        let handle = operation.clone();
        let entered = current::enter(operation);
        let made = catch_unwind(AssertUnwindSafe(|| make_body(handle)));
        let operation = entered.leave();
        match made {
            Ok(body) => {
                self.body.set(Some(body));
                *self.operation = Some(operation);
                Ok(())
            }
            Err(payload) => {
                self.end(operation, Ending::Failed(panic::said(&*payload)));
                resume_unwind(payload)
            }
        }
    }

    /// Whether the operation was asked to stop, or is asked to here and now; if not, whoever asks later wakes the task.
    fn is_to_stop(&mut self, operation: &Operation, cx: &mut Context<'_>) -> bool {
        let cancelled = self
            .cancelled
            .get_or_insert_with(|| operation.token().clone().cancelled_owned());
        if Pin::new(cancelled).poll(cx).is_ready() {
            return true;
        }
        let record = &operation.record;
        if let Some(deadline) = record.deadline {
            if self.limit.is_none() {
                self.limit
                    .set(Some(tokio::task::unconstrained(sleep_until(deadline))));
            }
            let limit = self.limit.as_mut().as_pin_mut();
            if limit.expect("set above").poll(cx).is_ready() {
                operation.cancel_with(out_of_time(record, deadline));
                return true;
            }
        }
        for source in &mut self.watch.sources {
            if let Poll::Ready(why) = source.as_mut().poll(cx) {
                operation.cancel_with(why);
                return true;
            }
        }
        false
    }

    /// Drops the body, then whatever watched over it, and then ends the operation.
    #[inline]
    fn end(&mut self, operation: Operation, ending: Ending) {
        let entered = current::enter(operation);
        let dropped = catch_unwind(AssertUnwindSafe(|| self.body.set(None)));
        let operation = entered.leave();
        self.limit.set(None);
        *self.cancelled = None;
        self.watch.stop();
        let ending = match &dropped {
            Ok(()) => ending,
            Err(payload) => Ending::Failed(panic::said(&**payload)),
        };
        // The last handle, and nobody to tell: what it writes could never be read.
        if *self.is_heard || Arc::strong_count(&operation.record) > 1 {
            operation.record.end(ending);
        }
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
    }

    /// The future was dropped (O4): if the operation was running, it is cancelled first, and the body goes then.
    #[inline]
    fn drop_running(&mut self) {
        if let Some(operation) = self.operation.take() {
            // First wins: one that was asked to stop before keeps that reason.
            operation.cancel_with(Origin::Drop);
            self.end(operation, Ending::Cancelled);
        }
    }
}
