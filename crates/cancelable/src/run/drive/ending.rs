//! From the end of a body to the end of its operation, by whichever way: the second half of the driver.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Context, Poll};

use cancelable_core::Origin;

use super::{DriveProjection, Settling};
use crate::operation::current;
use crate::operation::{Ending, Held, Operation};
use crate::panic::{self, Payload};
use crate::run::outcome::Outcome;
use crate::run::settle::{settle, settle_elsewhere, stop_for};
use crate::run::verdict::Verdict;

impl<F, Fut, V> DriveProjection<'_, F, Fut, V>
where
    Fut: Future,
    V: Verdict<Fut::Output>,
{
    /// Drops the body. A panic of its drop comes back.
    #[cold]
    fn drop_body(&mut self, operation: Operation) -> (Operation, Option<Payload>) {
        let entered = current::enter_body(operation);
        let dropped = catch_unwind(AssertUnwindSafe(|| self.body.set(None)));
        (entered.leave(), dropped.err())
    }

    /// The body is to be dropped, and then the operation ends. If the body's own drop panics, that is how it ended.
    #[cold]
    pub(super) fn drop_body_and_conclude(
        &mut self,
        operation: Operation,
        ending: Ending,
        outcome: Outcome<V::Output>,
        cx: &mut Context<'_>,
    ) -> Poll<V::Output> {
        match self.drop_body(operation) {
            (operation, None) => self.conclude(operation, ending, outcome, cx),
            (operation, Some(payload)) => {
                let ending = Ending::Failed(panic::said(&*payload));
                self.conclude(operation, ending, Outcome::Panicked(payload), cx)
            }
        }
    }

    /// The body is gone: sees to what the operation owes, and ends it.
    #[inline]
    pub(super) fn conclude(
        &mut self,
        operation: Operation,
        ending: Ending,
        outcome: Outcome<V::Output>,
        cx: &mut Context<'_>,
    ) -> Poll<V::Output> {
        match self.end(operation, ending) {
            Ok(()) => Poll::Ready(outcome.give::<Fut, V>()),
            Err((operation, ending)) => self.begin_to_settle(operation, ending, outcome, cx),
        }
    }

    /// Stops whatever watched over the body, which is gone, and sets the terminal status; unless the operation owes something,
    /// then all is given back.
    fn end(&mut self, operation: Operation, ending: Ending) -> Result<(), (Operation, Ending)> {
        if operation.is_unseen() {
            self.end_unseen(operation);
            return Ok(());
        }
        let record = &operation.record;
        if record.close().is_err() {
            return Err((operation, ending));
        }
        self.stop_watching();
        record.stop_waiting(&mut self.driver.waker);
        record.end(ending);
        Ok(())
    }

    /// The same where nothing that is written could ever be read.
    #[inline]
    pub(super) fn end_unseen(&mut self, operation: Operation) {
        self.stop_watching();
        // The token may have handles of its own.
        if operation.record.token_if_made().is_some() {
            operation.record.stop_waiting(&mut self.driver.waker);
        } else {
            operation.recycle();
        }
    }

    #[inline]
    fn stop_watching(&mut self) {
        if self.limit.is_some() {
            self.limit.set(None);
        }
        if let Some(rare) = &mut self.driver.rare {
            rare.watch = None;
        }
    }

    #[cold]
    fn begin_to_settle(
        &mut self,
        operation: Operation,
        ending: Ending,
        outcome: Outcome<V::Output>,
        cx: &mut Context<'_>,
    ) -> Poll<V::Output> {
        if let Outcome::Panicked(payload) = &outcome {
            let _ = stop_for(&operation, &**payload);
        }
        // One that was cancelled before its start is now at its end.
        operation.record.set_running();
        operation.record.duties().decide(ending);
        let settling = Settling {
            outcome,
            settle: settle(operation.clone()),
            shield: Some(Held::here()),
        };
        self.driver.rare.get_or_insert_default().settling = Some(settling);
        self.driver.operation = Some(operation);
        self.poll_settling(cx)
    }

    #[cold]
    pub(super) fn poll_settling(&mut self, cx: &mut Context<'_>) -> Poll<V::Output> {
        if let Some(operation) = self.driver.operation.take() {
            self.ask_for_helpers(&operation, cx);
            let settling = self.settling();
            // What encloses this operation may have been asked to stop: nothing in here is.
            if current::shielding(None, || settling.settle.as_mut().poll(cx)).is_pending() {
                self.driver.operation = Some(operation);
                return Poll::Pending;
            }
            operation.record.stop_waiting(&mut self.driver.waker);
            self.stop_watching();
            let settling = self.settling();
            settling.outcome.notice_panic_of(&operation);
            let shield = settling.shield.take();
            if shield.expect("held until it is settled").release() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let settled = self.driver.rare.take().and_then(|rare| rare.settling);
        let outcome = settled.expect("it is settling").outcome;
        Poll::Ready(outcome.give::<Fut, V>())
    }

    /// While tasks and threads are waited for, the operation may still be asked to stop; its finalizers are not.
    fn ask_for_helpers(&mut self, operation: &Operation, cx: &mut Context<'_>) {
        if operation.record.duties().is_closed() {
            self.limit.set(None);
            if let Some(watch) = self.driver.watch() {
                watch.stop_sources();
            }
        }
        let asked = catch_unwind(AssertUnwindSafe(|| self.is_to_stop(operation, cx)));
        match asked {
            Ok(false) => {}
            Ok(true) => {
                if let Some(watch) = self.driver.watch() {
                    watch.let_go(operation);
                }
            }
            Err(payload) => {
                let _ = stop_for(operation, &*payload);
                let ending = Ending::Failed(panic::said(&*payload));
                operation.record.duties().decide(ending);
                self.settling().outcome = Outcome::Panicked(payload);
            }
        }
    }

    fn settling(&mut self) -> &mut Settling<V::Output> {
        let settling = self
            .driver
            .rare
            .as_mut()
            .and_then(|rare| rare.settling.as_mut());
        settling.expect("it is settling")
    }

    /// The future was dropped while the operation was running (O4): it is cancelled first, and the body goes then.
    #[cold]
    pub(super) fn dropped(&mut self, operation: Operation) {
        // First wins: one that was asked to stop before keeps that reason.
        operation.cancel_with(Origin::Drop);
        let settling = self.driver.rare.as_mut().and_then(|rare| {
            rare.farewell = None;
            rare.settling.take()
        });
        if let Some(Settling { settle, .. }) = settling {
            operation.record.duties().decide(Ending::Cancelled);
            operation.record.stop_waiting(&mut self.driver.waker);
            return settle_elsewhere(&operation, settle);
        }
        let (operation, panicked) = self.drop_body(operation);
        let ending = match &panicked {
            Some(payload) => Ending::Failed(panic::said(&**payload)),
            None => Ending::Cancelled,
        };
        if let Err((operation, ending)) = self.end(operation, ending) {
            operation.record.duties().decide(ending);
            operation.record.stop_waiting(&mut self.driver.waker);
            settle_elsewhere(&operation, settle(operation.clone()));
        }
        if let Some(payload) = panicked {
            resume_unwind(payload);
        }
    }
}
