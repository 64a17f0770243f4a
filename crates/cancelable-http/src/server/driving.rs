//! Who drives a request's operation: the response's future, then its body, and a task of its own once the server has let go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use cancelable::{Operation, Reason};
use tokio::runtime::Handle;

use super::Disconnect;
use super::exchange::{Exchange, Reader, Stage};
use super::relay::Stop;

/// The future of an operation's run.
type Run = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send>>;

/// The run of a request's operation, for whoever polls it. Dropped before the response was complete, the client has left.
pub(super) struct Driving<D> {
    /// `None` once there is nothing more to drive here. Its end owes nothing to the one who reads.
    run: Option<Run>,
    pub(super) exchange: Arc<Exchange<D>>,
    /// Whether all that was announced of the response has been handed over.
    pub(super) has_all: bool,
}

impl<D> Driving<D> {
    pub(super) fn new<R>(run: R, exchange: Arc<Exchange<D>>) -> Self
    where
        R: Future<Output = Result<(), Stop>> + Send + 'static,
    {
        Self {
            run: Some(Box::pin(run)),
            exchange,
            has_all: false,
        }
    }

    /// Goes on, until the response is complete or never will be. What there is of it lies in the exchange.
    ///
    /// What the operation does after that, such as waiting for its tasks, it does in a task of its own.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        // Taken, so that one that panics is not polled again.
        let Some(mut run) = self.run.take() else {
            return Poll::Ready(Err(Stop::Panicked));
        };
        if let Poll::Ready(ended) = run.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        let slot = self.exchange.lock();
        let stage = slot.stage;
        let operation = match stage {
            Stage::Cut => slot.operation.clone(),
            Stage::Working | Stage::Done | Stage::Panicked => None,
        };
        drop(slot);
        let why = operation.and_then(|operation| operation.cancellation());
        match (stage, why) {
            (Stage::Done, _) if is_on_a_runtime() => {
                hand_over(run);
                Poll::Ready(Ok(()))
            }
            (Stage::Cut, Some(why)) if is_on_a_runtime() => {
                hand_over(run);
                Poll::Ready(Err(Stop::Cancelled(why)))
            }
            // A panic goes on from here, once the operation has ended.
            _ => {
                self.run = Some(run);
                Poll::Pending
            }
        }
    }
}

impl<D> Drop for Driving<D> {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        let mut slot = self.exchange.lock();
        slot.reader = match self.has_all {
            true => Reader::HasAll,
            false => Reader::Gone,
        };
        let unwanted = (slot.head.take(), slot.frame.take());
        let (disconnect, operation) = (slot.disconnect, slot.operation.clone());
        drop(slot);
        drop(unwanted);
        // One that has not begun has nothing to stop.
        let Some(operation) = operation else { return };
        if self.has_all {
            return finish(run);
        }
        leave(run, &operation, disconnect);
    }
}

/// The client has left.
fn leave(run: Run, operation: &Operation, disconnect: Disconnect) {
    match disconnect {
        Disconnect::Detach | Disconnect::Ignore if is_on_a_runtime() => {
            if disconnect == Disconnect::Detach {
                operation.set_metadata("disconnected", true);
            }
            return hand_over(run);
        }
        Disconnect::Grace(grace) => operation.grace_on(Reason::Disconnected, grace),
        Disconnect::Cancel | Disconnect::Detach | Disconnect::Ignore => {}
    }
    operation.cancel_with(Reason::Disconnected);
    finish(run);
}

/// Sees to the end of a run that is about to end: here and now if it owes nothing, else in a task.
fn finish(mut run: Run) {
    if !is_on_a_runtime() {
        return;
    }
    // While this thread unwinds a second panic would be the end of the process.
    if !thread::panicking() {
        let mut cx = Context::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => {}
            // How it ended is on record; a panic was told of by the process's hook.
            Ok(Poll::Ready(_)) | Err(_) => return,
        }
    }
    hand_over(run);
}

/// Has a task drive it from here on.
fn hand_over(run: Run) {
    drop(tokio::spawn(run));
}

fn is_on_a_runtime() -> bool {
    Handle::try_current().is_ok()
}
