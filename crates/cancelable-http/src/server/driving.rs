//! Who drives a request's operation: the response's future, then its body, and a task of its own once the server has let go.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use cancelable::Operation;
use tokio::runtime::Handle;

use super::Disconnect;
use super::exchange::{Exchange, Reader};
use super::parking::{self, Place, Read};
use super::place::Run;
use super::relay::Stop;

/// The run of a request's operation, for whoever polls it. Dropped before the response was complete, the client has left.
pub(super) struct Driving<D> {
    /// `None` once there is nothing more to drive here, or it is parked.
    run: Option<Run>,
    is_parked: bool,
    pub(super) exchange: Arc<Exchange<D>>,
    /// The exchange's own, which the run is polled with.
    waker: Waker,
    /// Whether the reader of the body was ever told to wait.
    ///
    /// One that looks again before it is woken may find the end by that. It is owed a wake all the same: hyper, which looks twice, may
    /// see by a later poll alone that the connection is over, and what was to wake it comes too late here.
    pub(super) has_waited: bool,
}

impl<D> Driving<D> {
    pub(super) fn new<R>(run: R, exchange: Arc<Exchange<D>>) -> Self
    where
        R: Future<Output = Result<(), Stop>> + Send + 'static,
        D: Send + 'static,
    {
        Self {
            run: Some(Box::pin(run)),
            is_parked: false,
            waker: Waker::from(Arc::clone(&exchange)),
            exchange,
            has_waited: false,
        }
    }

    /// Has a task see to it as well that the operation ends in time, since the server may not read for long.
    pub(super) fn park(&mut self)
    where
        D: Send + 'static,
    {
        if let Some(run) = self.run.take() {
            parking::park(&self.exchange, run, Handle::try_current().ok());
            self.is_parked = true;
        }
    }

    /// Takes it for good.
    fn take(&mut self) -> Option<Run> {
        self.is_parked = false;
        let (parked, reader) = parking::leave(&*self.exchange);
        if let Some(reader) = reader.filter(|_| self.has_waited) {
            reader.wake();
        }
        self.run.take().or(parked)
    }
}

impl<D: Send + 'static> Driving<D> {
    /// Goes on, until the response is complete or never will be. What there is of it lies in the exchange.
    ///
    /// What the operation does after that, such as waiting for its tasks, it does in a task of its own.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        // Either is taken, so that one that panics is not polled again.
        if std::mem::take(&mut self.is_parked) {
            return self.read(cx);
        }
        let Some(mut run) = self.run.take() else {
            return Poll::Ready(Err(Stop::Panicked));
        };
        parking::read_by(&*self.exchange, cx.waker());
        if let Poll::Ready(ended) = run.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            drop(self.take());
            return Poll::Ready(ended);
        }
        match self.exchange.known_end() {
            Some(ended) if is_on_a_runtime() => {
                drop(self.take());
                hand_over(run);
                Poll::Ready(ended)
            }
            _ => {
                self.run = Some(run);
                Poll::Pending
            }
        }
    }

    /// The same with a run that is parked.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        match parking::read(&*self.exchange, cx.waker(), &self.waker, is_on_a_runtime) {
            Read::Pending => {
                self.is_parked = true;
                Poll::Pending
            }
            Read::Ended(ended) => {
                drop(self.take());
                Poll::Ready(ended)
            }
            Read::Over(ended, run) => {
                drop(self.take());
                hand_over(run);
                Poll::Ready(ended)
            }
        }
    }
}

impl<D> Drop for Driving<D> {
    fn drop(&mut self) {
        let is_parked = self.is_parked;
        let run = self.take();
        if run.is_none() && !is_parked {
            return;
        }
        let mut slot = self.exchange.lock();
        let has_all = slot.has_all;
        slot.reader = match has_all {
            true => Reader::HasAll,
            false => Reader::Gone,
        };
        let unwanted = (slot.head.take(), slot.frame.take());
        let (disconnect, operation) = (slot.disconnect, slot.operation.clone());
        drop(slot);
        drop(unwanted);
        // One that has not begun has nothing to stop, and one that the task has is about to end.
        let (Some(run), Some(operation)) = (run, operation) else {
            return;
        };
        if has_all {
            return finish(run);
        }
        leave(run, &operation, disconnect);
    }
}

/// The client has left.
fn leave(run: Run, operation: &Operation, disconnect: Disconnect) {
    let asks = disconnect.asks();
    if !asks && !is_on_a_runtime() {
        // There is nobody who could go on with it.
        Disconnect::Cancel.tell(operation);
        return;
    }
    disconnect.tell(operation);
    match asks {
        true => finish(run),
        false => hand_over(run),
    }
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
