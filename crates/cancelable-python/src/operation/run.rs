//! Entering and leaving: from the start of a run to its end.

use std::sync::Arc;
use std::task::{Context, Waker};

use cancelable_core::{CancellationToken, Origin, Reason, WakerSlot};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::delivery::Delivery;
use super::record::{Ending, Record};
use super::status::Status;
use super::{Operation, told};
use crate::loops::{Home, Timer, TimerKey};

/// What there is from entering to leaving.
pub(super) struct Running {
    pub(super) delivery: Arc<Delivery>,
    slot: WakerSlot,
    timer: Option<TimerKey>,
    /// When its time is up, by the loop's clock.
    pub(super) deadline: Option<f64>,
    pub(super) task: Py<PyAny>,
    /// What it is cancelled with.
    pub(super) parent: Option<Py<Operation>>,
    /// Stands between the parent and a stop token that was there before it started.
    _between: Option<CancellationToken>,
}

impl Operation {
    /// Starts a run whose body is in `scope`, inside of `enclosing`, if that runs. To be called in the body's task.
    pub(super) fn enter(
        slf: &Bound<'_, Self>,
        scope: Py<PyAny>,
        enclosing: Option<&Bound<'_, Self>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let home = Home::current(py)?.ok_or_else(no_loop)?;
        let task = home.current_task(py)?;
        let given = this.prepare(py)?;
        let enclosing = enclosing.filter(|it| it.get().is_at_work());
        let is_enclosed = given.parent.is_none()
            && enclosing.is_some_and(|it| it.get().cancels_body_of(task.bind(py)));
        let parent = match &given.parent {
            Some(parent) => Some(parent.bind(py).clone()),
            None => enclosing.filter(|_| !given.is_detached).cloned(),
        };
        let record = given.record;
        let between = parent
            .as_ref()
            .and_then(|parent| record.hang_below(parent.get().record().stop()));
        let stop = record.stop();
        given.links.iter().for_each(|link| stop.link(link));
        record.begin();
        let delivery = Arc::new(Delivery::new(
            home,
            scope,
            Arc::clone(&record),
            given.grace,
            is_enclosed,
        ));
        let mut running = Box::new(Running {
            delivery: Arc::clone(&delivery),
            slot: WakerSlot::new(),
            timer: None,
            deadline: None,
            task,
            parent: parent.map(Bound::unbind),
            _between: between,
        });
        if let Some(timeout) = given.timeout {
            let at = delivery.home.time(py)? + timeout;
            let timer = Timer::TimeIsUp(Arc::clone(&delivery), timeout);
            running.timer = Some(delivery.home.arm(py, at, timer)?);
            running.deadline = Some(at);
        }
        let waker = Waker::from(Arc::clone(&delivery));
        let is_late = stop
            .poll_cancelled(&mut running.slot, &mut Context::from_waker(&waker))
            .is_ready();
        this.state.lock().running = Some(running);
        if is_late {
            delivery.strike(py)?;
        }
        Ok(())
    }

    /// Notes that the body is over: no limit counts from here on. `False` where nothing was entered.
    pub(super) fn leave(&self, py: Python<'_>) -> PyResult<bool> {
        let Some((home, task)) = self.at_home(py) else {
            return Ok(false);
        };
        if !home.current_task(py)?.is(&task) {
            return Err(PyRuntimeError::new_err(format!(
                "operation {} was entered in another task than the one that leaves it; leave it where it was entered",
                self.shown()
            )));
        }
        Ok(true)
    }
}

impl Running {
    /// The record is held by the delivery too: so its objects are not told here.
    pub(super) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.delivery.scope)?;
        visit.call(&self.task)?;
        visit.call(&self.parent)
    }
}

/// What a run goes by, as it stood when it was entered.
struct Given {
    record: Arc<Record>,
    parent: Option<Py<Operation>>,
    is_detached: bool,
    links: Vec<CancellationToken>,
    timeout: Option<f64>,
    grace: Option<f64>,
}

impl Operation {
    /// Sees to a fresh record, and takes down what the run goes by.
    fn prepare(&self, py: Python<'_>) -> PyResult<Given> {
        let is_over = self.record().fields().status.is_terminal();
        let fresh = if is_over { Some(self.anew(py)) } else { None };
        let mut state = self.state.lock();
        if state.running.is_some() {
            drop(state);
            return Err(PyRuntimeError::new_err(format!(
                "operation {} is entered already, and can be entered again only after it was left; make an operation for each use",
                self.shown()
            )));
        }
        let before = fresh.map(|fresh| {
            let face = if state.has_given_face {
                None
            } else {
                state.face.take()
            };
            (std::mem::replace(&mut state.record, Arc::new(fresh)), face)
        });
        let given = Given {
            record: Arc::clone(&state.record),
            parent: state.parent.as_ref().map(|it| it.clone_ref(py)),
            is_detached: state.is_detached,
            links: state.links.clone(),
            timeout: state.timeout,
            grace: state.grace,
        };
        drop(state);
        drop(before);
        Ok(given)
    }

    /// A record for another run. Whoever cancelled the operation by its token has cancelled this run too; what only ended the
    /// last run, such as its time limit, does not count.
    fn anew(&self, py: Python<'_>) -> Record {
        let last = self.record();
        let fresh = last.anew(py);
        let ended_by_itself = std::mem::take(&mut self.state.lock().ended_by_itself);
        let of_the_run = |why: &cancelable_core::Cancellation| {
            ended_by_itself
                || why.reason() == Reason::Parent
                || matches!(why.origin(), Origin::Timeout { .. })
        };
        let stop = last.stop();
        if !stop.cancellation().as_ref().is_some_and(of_the_run) {
            fresh.stop().link(stop);
        }
        fresh
    }

    /// Whether it runs, or is a shielded section that does.
    pub(super) fn is_at_work(&self) -> bool {
        matches!(
            self.record().status(),
            Status::Running | Status::Cancelling | Status::Shielded
        )
    }

    /// Whether a cancel of this operation cancels what runs in `task` too, at once: so whatever is entered there need not.
    fn cancels_body_of(&self, task: &Bound<'_, PyAny>) -> bool {
        let state = self.state.lock();
        let running = state.running.as_ref();
        running.is_some_and(|it| it.task.is(task) && it.delivery.grace.is_none())
    }

    fn at_home(&self, py: Python<'_>) -> Option<(Home, Py<PyAny>)> {
        let state = self.state.lock();
        let running = state.running.as_ref()?;
        Some((running.delivery.home.clone(), running.task.clone_ref(py)))
    }

    /// Has the run be asked to stop so many seconds from now, unless it is before that.
    pub(super) fn arm(
        &self,
        py: Python<'_>,
        delivery: &Arc<Delivery>,
        seconds: f64,
    ) -> PyResult<()> {
        let home = &delivery.home;
        let at = home.time(py)? + seconds;
        {
            let state = self.state.lock();
            let known = state.running.as_ref().and_then(|it| it.deadline);
            if known.is_some_and(|known| known <= at) {
                return Ok(());
            }
        }
        let timer = Timer::TimeIsUp(Arc::clone(delivery), seconds);
        let armed = home.arm(py, at, timer)?;
        let before = {
            let mut state = self.state.lock();
            match &mut state.running {
                Some(running) => {
                    running.deadline = Some(at);
                    running.timer.replace(armed)
                }
                None => Some(armed),
            }
        };
        if let Some(before) = before {
            home.disarm(before);
        }
        Ok(())
    }

    /// Ends the run: the status is set, and nothing is left of it at the loop and at its token.
    pub(super) fn end(&self, py: Python<'_>, status: Status, error: Option<String>) {
        let why = self.asked(py);
        let (record, running) = {
            let mut state = self.state.lock();
            (Arc::clone(&state.record), state.running.take())
        };
        record.end(Ending {
            status,
            reason: why.as_ref().map(cancelable_core::Cancellation::reason),
            message: why.as_ref().and_then(told::message),
            error,
        });
        if let Some(mut running) = running {
            running.slot.clear(record.stop());
            if let Some(timer) = running.timer.take() {
                running.delivery.home.disarm(timer);
            }
        }
    }

    /// Why it was asked to stop, as it tells it: with the id of its parent.
    pub(super) fn asked(&self, py: Python<'_>) -> Option<cancelable_core::Cancellation> {
        let why = self.record().asked()?;
        if !told::is_by_parent(&why) || told::parent(&why).is_some() {
            return Some(why);
        }
        let parent = {
            let state = self.state.lock();
            let running = state.running.as_ref();
            running.and_then(|it| Some(it.parent.as_ref()?.clone_ref(py)))
        };
        let Some(parent) = parent else {
            return Some(why);
        };
        let id = parent.get().record().id().to_owned();
        let message = format!("Parent operation {} cancelled", told::short(&id));
        Some(why.with_origin(Origin::parent(id)).with_message(message))
    }

    pub(crate) fn record(&self) -> Arc<Record> {
        Arc::clone(&self.state.lock().record)
    }

    /// What errors call it: its name, if it has one, and its id.
    fn shown(&self) -> String {
        let record = self.record();
        let name = record.fields().more_if_any().and_then(|it| it.name.clone());
        match name {
            Some(name) => format!("{name:?} ({})", record.id()),
            None => record.id().to_owned(),
        }
    }
}

fn no_loop() -> PyErr {
    PyRuntimeError::new_err(
        "an operation runs on an event loop: enter it in a coroutine, by `async with`",
    )
}
