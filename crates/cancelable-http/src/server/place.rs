//! The exchange as the place where the run of its own operation is parked.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Wake;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::exchange::{Exchange, Stage};
use super::parking::{self, Driver, Held, Place, Shared};
use super::relay::Stop;

/// The future of an operation's run.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send>>;

/// What of a run is parked in an exchange.
pub(super) type Parking = parking::Parking<Run, Result<(), Stop>, Handle>;

impl<D> Place for Exchange<D> {
    type Run = Run;
    type End = Result<(), Stop>;
    type Runtime = Handle;

    fn locked<T>(&self, f: impl FnOnce(Held<'_, Self>) -> T) -> T {
        let mut slot = self.lock();
        let (has_frame, stage) = (slot.frame.is_some(), slot.stage);
        f(Held {
            parking: &mut slot.parking,
            has_frame,
            is_over: matches!(stage, Stage::Done | Stage::Cut),
        })
    }

    /// What comes after the stages that are over is no affair of the client's.
    fn known_end(&self) -> Option<Result<(), Stop>> {
        let slot = self.lock();
        let stage = slot.stage;
        let operation = match stage {
            Stage::Cut => slot.operation.clone(),
            Stage::Working | Stage::Done | Stage::Panicked => None,
        };
        drop(slot);
        match stage {
            Stage::Done => Some(Ok(())),
            Stage::Cut => Some(Err(Stop::Cancelled(operation?.cancellation()?))),
            // A panic goes on once the operation has ended.
            Stage::Working | Stage::Panicked => None,
        }
    }

    /// The operation was asked to stop, or has no time left. A body that has panicked is gone, and its panic is the reader's.
    fn is_to_stop(&self) -> bool {
        let slot = self.lock();
        let is_working = slot.stage == Stage::Working;
        let operation = slot.operation.clone().filter(|_| is_working);
        drop(slot);
        let Some(operation) = operation else {
            return false;
        };
        let is_out_of_time = || {
            let deadline = operation.deadline();
            deadline.is_some_and(|deadline| deadline <= Instant::now())
        };
        operation.is_cancelled() || is_out_of_time()
    }
}

impl<D: Send + 'static> Shared for Exchange<D> {
    fn spawn(self: &Arc<Self>, runtime: Handle, driver: Driver<Self>) {
        drop(runtime.spawn(driver));
    }

    fn panicked() -> Result<(), Stop> {
        Err(Stop::Panicked)
    }
}

impl<D: Send + 'static> Wake for Exchange<D> {
    fn wake(self: Arc<Self>) {
        parking::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        parking::wake(self);
    }
}
