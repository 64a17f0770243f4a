//! A run, from entering to leaving, and its end.

use std::sync::Arc;

use cancelable_core::{Cancellation, CancellationToken, Reason, WakerSlot};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::delivery::{Delivery, Scope};
use super::native::Native;
use super::record::{Ending, Record};
use super::status::Status;
use super::{Operation, told};
use crate::loops::TimerKey;

/// What there is from entering to leaving.
pub(super) struct Running {
    pub(super) delivery: Arc<Delivery>,
    pub(super) slot: WakerSlot,
    pub(super) timer: Option<TimerKey>,
    /// When its own time limit is up, by the loop's clock.
    pub(super) limit_at: Option<f64>,
    /// When its sources end it at the latest.
    pub(super) foreseen: Option<f64>,
    /// What it is cancelled with.
    pub(super) parent: Option<Py<Operation>>,
    /// Stands between the stop token and what ends this run alone: nothing is heard of that once this is dropped.
    pub(super) meanwhile: Option<CancellationToken>,
    /// Stands between the parent and a stop token that was there before it started.
    pub(super) _between: Option<CancellationToken>,
}

impl Operation {
    /// Notes that the body is over.
    pub(super) fn leave(&self, py: Python<'_>) -> PyResult<Leaving> {
        let Some(delivery) = self.delivery() else {
            return Ok(Leaving::Nothing);
        };
        let task = delivery.home.current_task_if_any(py);
        if !task.is_some_and(|it| it.is(&delivery.task)) {
            let is_stranded = delivery.home.has_ended(py, &delivery.task);
            return Ok(if is_stranded {
                Leaving::Stranded
            } else {
                Leaving::Elsewhere
            });
        }
        match &delivery.scope {
            Scope::Native(native) if !native.is_quiet() => Ok(Leaving::Struck),
            Scope::Native(_) | Scope::Given(_) => Ok(Leaving::Quietly),
        }
    }

    /// Ends the run: the status is set, and nothing is left of it at the loop and at its token.
    pub(super) fn end(&self, py: Python<'_>, status: Status, error: Option<String>) {
        // What was asked after an error is for whoever still works, and no part of the outcome.
        let record = self.record();
        let why = self.asked_by(py, &record);
        let asked_at = why.as_ref().map(Cancellation::instant);
        let why = why.filter(|_| status != Status::Failed);
        record.end(Ending {
            asked_at,
            status,
            reason: why.as_ref().map(Cancellation::reason),
            message: why.as_ref().and_then(told::message),
            error,
        });
        let (running, entry) = {
            let mut state = self.state.lock();
            state.is_entered = false;
            let running = state.running.take();
            let meanwhile = running.as_ref().and_then(|it| it.meanwhile.as_ref());
            state.ended_by_itself |= meanwhile.is_some_and(CancellationToken::is_cancelled);
            (running, state.entry.take())
        };
        if let Some(running) = running {
            running.end(&record);
        }
        if let Some(entry) = entry {
            entry.leave(py);
        }
    }

    /// Ends a run whose loop was closed in the midst of it, so that nobody ever will; whether it is one.
    pub(crate) fn end_if_abandoned(&self, py: Python<'_>) -> bool {
        let is_abandoned = self.delivery().is_some_and(|it| it.home.is_closed(py));
        if is_abandoned {
            let why = Cancellation::new(Reason::Dropped).with_message("its event loop was closed");
            // What still works for it, such as a thread, hears of that.
            self.record().stop().cancel_with(why);
            self.end(py, Status::Cancelled, None);
        }
        is_abandoned
    }

    /// Lets go of the loop and the token, and leaves the end to a thread that is still at work.
    pub(super) fn leave_behind(&self) {
        let running = self.state.lock().running.take();
        if let Some(running) = running {
            running.end(&self.record());
        }
    }

    pub(super) fn delivery(&self) -> Option<Arc<Delivery>> {
        let state = self.state.lock();
        state.running.as_ref().map(|it| Arc::clone(&it.delivery))
    }

    /// Its scope, where that is its task.
    pub(super) fn with_native<T>(
        &self,
        then: impl FnOnce(&Native, &Arc<Delivery>) -> T,
    ) -> Option<T> {
        let delivery = self.delivery()?;
        match &delivery.scope {
            Scope::Native(native) => Some(then(native, &delivery)),
            Scope::Given(_) => None,
        }
    }
}

/// How an operation is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It was not entered.
    Nothing = 0,
    /// Its task knows of no cancel of its.
    Quietly = 1,
    /// It has cancelled its task, which is to be taken back.
    Struck = 2,
    /// In another task than it was entered in, or in none.
    Elsewhere = 3,
    /// So, and the task that entered it is over.
    Stranded = 4,
}

impl Running {
    /// Nothing of the run is left at the loop and at its token.
    pub(super) fn end(mut self, record: &Record) {
        self.slot.clear(record.stop());
        if let Some(timer) = self.timer.take() {
            self.delivery.home.disarm(timer);
        }
        self.delivery.close();
    }

    /// When its own time is up, by the loop's clock.
    pub(super) fn deadline(&self) -> Option<f64> {
        match (self.limit_at, self.foreseen) {
            (Some(limit), Some(foreseen)) => Some(limit.min(foreseen)),
            (limit, foreseen) => limit.or(foreseen),
        }
    }

    /// The record is held by the delivery too: so its objects are not told here.
    ///
    /// The delivery is held by whatever may cancel the operation from outside: while that can be, its objects are not told
    /// either, and so are not garbage.
    pub(super) fn traverse(
        &self,
        visit: PyVisit<'_>,
        is_reached_from_outside: bool,
    ) -> Result<(), PyTraverseError> {
        visit.call(&self.parent)?;
        // One is this, the other the waker at the operation's own token.
        let holders = Arc::strong_count(&self.delivery);
        if is_reached_from_outside || holders > 2 {
            return Ok(());
        }
        visit.call(&self.delivery.task)?;
        match &self.delivery.scope {
            Scope::Given(scope) => visit.call(scope),
            Scope::Native(_) => Ok(()),
        }
    }
}
