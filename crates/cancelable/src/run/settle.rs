//! What comes between the end of a body and the end of its operation: tasks and threads leave, finalizers run (O3, O7).
//!
//! One future does it all, so that it can be polled by the future of the run, and be handed to the runtime where that one was
//! dropped. Whichever way this one goes, the record ends: its [`Closing`] is dropped last.

use std::any::Any;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use cancelable_core::{Cancellation, Reason};
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::operation::{Finalizer, Operation};
use crate::panic;

/// See the module's documentation.
pub(super) type Settle = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sees to all that `operation` owes, and ends its record as its duties have decided by then.
pub(super) fn settle(operation: Operation) -> Settle {
    let mut closing = Closing {
        operation,
        cut_off: 0,
    };
    Box::pin(async move {
        closing.let_helpers_leave().await;
        while let Some(finalizer) = closing.operation.record.duties().next_finalizer() {
            closing.cut_off = 1;
            finalize(&closing.operation, finalizer).await;
            closing.cut_off = 0;
        }
    })
}

/// Settles an operation without the future of its run, which is gone: tasks go at once, and finalizers run on the runtime that
/// it was started on. Where none is left, that is recorded and warned of.
pub(super) fn settle_elsewhere(operation: &Operation, settle: Settle) {
    let duties = operation.record.duties();
    duties.mercy_ends().cancel();
    if !duties.has_finalizers() {
        // The record ends as this goes, or as the last of its tasks and threads does.
        return drop(settle);
    }
    match duties.runtime() {
        Some(runtime) => drop(runtime.spawn(settle)),
        None => drop(settle),
    }
}

/// Has an operation stop because something in it panicked, and says why that is.
pub(crate) fn stop_for(operation: &Operation, panic: &(dyn Any + Send)) -> Cancellation {
    let why = Cancellation::new(Reason::Error).with_message(panic::said(panic));
    operation.cancel_with(why.clone());
    why
}

/// How long threads are waited for after an ask where no grace was given (O3).
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends the record as it is dropped.
struct Closing {
    operation: Operation,
    /// 1 while a finalizer is at work, which is cut off if all of this is dropped.
    cut_off: u64,
}

impl Closing {
    /// Waits until tasks and threads have left. Once the operation is asked to stop, they have as long as the grace: then tasks
    /// are told to go, and threads are waited for no longer.
    async fn let_helpers_leave(&self) {
        let record = &self.operation.record;
        let duties = record.duties();
        let mut alarm = None;
        let mut has_patience = true;
        poll_fn(|cx| {
            loop {
                if duties.poll_left(cx, has_patience).is_ready() {
                    return Poll::Ready(());
                }
                let Some(asked) = record.noticed_ask().filter(|_| has_patience) else {
                    return Poll::Pending;
                };
                if alarm.is_none() {
                    let patience = record.grace().unwrap_or(PATIENCE);
                    // One that has no end is never out of patience.
                    alarm = asked.checked_add(patience).map(Alarm::at);
                }
                let alarm = alarm.as_mut();
                if alarm.is_none_or(|alarm| alarm.poll(cx).is_pending()) {
                    return Poll::Pending;
                }
                has_patience = false;
                duties.mercy_ends().cancel();
            }
        })
        .await;
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let duties = self.operation.record.duties();
        let skipped = duties.skip_finalizers(self.cut_off);
        if skipped > 0 {
            tracing::warn!(
                operation = self.operation.id(),
                skipped,
                "finalizers did not run to their end: there is no runtime left that could run them"
            );
        }
        duties.finish(&self.operation);
    }
}

/// Runs one finalizer within its limit. Whatever goes wrong is logged.
async fn finalize(operation: &Operation, finalizer: Finalizer) {
    let limit = finalizer.limit;
    let failed = |error: &str| {
        let operation = operation.id();
        tracing::error!(operation, error, "a finalizer failed");
    };
    let mut cleaning = match finalizer.begin(operation.clone()) {
        Ok(cleaning) => cleaning,
        Err(error) => return failed(&error),
    };
    let mut alarm = Instant::now().checked_add(limit).map(Alarm::at);
    let ended = poll_fn(|cx| match panic::caught(|| cleaning.as_mut().poll(cx)) {
        Ok(Poll::Ready(outcome)) => Poll::Ready(Some(outcome)),
        Err(panicked) => Poll::Ready(Some(Err(panicked))),
        Ok(Poll::Pending) => match &mut alarm {
            Some(alarm) => alarm.poll(cx).map(|()| None),
            None => Poll::Pending,
        },
    })
    .await;
    panic::discard(cleaning);
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => failed(&error),
        None => tracing::error!(
            operation = operation.id(),
            ?limit,
            "a finalizer took longer than its limit, and was dropped"
        ),
    }
}
