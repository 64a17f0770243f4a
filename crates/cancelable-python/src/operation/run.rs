//! Entering and leaving: from the start of a run to its end.

use std::sync::Arc;
use std::task::{Context, Waker};

use cancelable_core::{CancellationToken, Origin, Reason, WakerSlot};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::delivery::{Delivery, Scope};
use super::native::Native;
use super::record::{Ending, Record};
use super::status::Status;
use super::{Operation, told};
use crate::loops::{Home, Timer, TimerKey};
use crate::registry::Registry;

/// What there is from entering to leaving.
pub(super) struct Running {
    pub(super) delivery: Arc<Delivery>,
    slot: WakerSlot,
    timer: Option<TimerKey>,
    /// When its own time limit is up, by the loop's clock.
    limit_at: Option<f64>,
    /// When its sources end it at the latest.
    pub(super) foreseen: Option<f64>,
    /// What it is cancelled with.
    pub(super) parent: Option<Py<Operation>>,
    /// Stands between the stop token and what ends this run alone: nothing is heard of that once this is dropped.
    meanwhile: Option<CancellationToken>,
    /// Stands between the parent and a stop token that was there before it started.
    _between: Option<CancellationToken>,
}

impl Operation {
    /// Starts a run whose body is in `scope`, or in none, inside of `enclosing`, if that runs. To be called in the body's task;
    /// where the body is `is_stepwise`, in that of its first step.
    pub(super) fn enter(
        slf: &Bound<'_, Self>,
        scope: Option<Py<PyAny>>,
        enclosing: Option<&Bound<'_, Self>>,
        registry: Option<&Bound<'_, Registry>>,
        is_stepwise: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let home = Home::current(py)?.ok_or_else(no_loop)?;
        let task = home.current_task(py)?;
        let cancels_before = home.cancels_of(py, &task)?;
        let scope = match scope {
            Some(scope) => Scope::Given(scope),
            None if home.is_asyncio() => Scope::Native(Native::default()),
            None => return Err(no_native()),
        };
        let mut given = this.prepare(py)?;
        given.is_stepwise = is_stepwise;
        let was_listed = this.entry().is_some();
        let entered = Self::begin(
            slf,
            home,
            scope,
            task,
            cancels_before,
            given,
            enclosing,
            registry,
        );
        if entered.is_err() {
            if !was_listed {
                this.unlist(py);
            }
            let running = {
                let mut state = this.state.lock();
                state.is_entered = false;
                state.running.take()
            };
            if let Some(running) = running {
                running.end(&this.record());
            }
        }
        entered
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "each is what one line of `enter` found out"
    )]
    fn begin(
        slf: &Bound<'_, Self>,
        home: Home,
        scope: Scope,
        task: Py<PyAny>,
        cancels_before: u32,
        given: Given,
        enclosing: Option<&Bound<'_, Self>>,
        registry: Option<&Bound<'_, Registry>>,
    ) -> PyResult<()> {
        let (py, this) = (slf.py(), slf.get());
        let enclosing = enclosing.and_then(|it| Self::at_work(it.clone().unbind(), py));
        // Other tasks may take further steps.
        let is_enclosed = !given.is_stepwise
            && given.parent.is_none()
            && enclosing
                .as_ref()
                .is_some_and(|it| it.get().cancels_body_of(task.bind(py)));
        let parent = match (given.is_section, given.parent) {
            (true, _) => None,
            (false, Some(parent)) => Some(parent),
            (false, None) => enclosing.filter(|_| !given.is_detached),
        };
        if let Some(registry) = registry {
            // Before anything is begun, since an id that is taken ends it here.
            let parent_id = parent.as_ref().map(|it| it.get().record().id().to_owned());
            Self::list_in(slf, registry.get().core()?, parent_id, false)?;
        }
        let record = given.record;
        let between = parent
            .as_ref()
            .and_then(|parent| record.hang_below(parent.get().record().stop()));
        let stop = record.stop();
        given.links.iter().for_each(|link| stop.link(link));
        let delivery = Arc::new(Delivery::new(
            home,
            scope,
            task,
            cancels_before,
            Arc::clone(&record),
            given.grace,
            is_enclosed,
        ));
        let mut running = Box::new(Running {
            delivery: Arc::clone(&delivery),
            slot: WakerSlot::new(),
            timer: None,
            limit_at: None,
            foreseen: None,
            parent,
            meanwhile: None,
            _between: between,
        });
        if let Some(timeout) = given.timeout {
            let at = delivery.home.time(py)? + timeout;
            let timer = Timer::TimeIsUp(Arc::clone(&delivery), timeout);
            running.timer = Some(delivery.home.arm(py, at, timer)?);
            running.limit_at = Some(at);
        }
        record.begin(given.is_section);
        if let Some(entry) = this.entry() {
            entry.started();
        }
        let waker = Waker::from(Arc::clone(&delivery));
        let is_late = stop
            .poll_cancelled(&mut running.slot, &mut Context::from_waker(&waker))
            .is_ready();
        this.state.lock().running = Some(running);
        if is_late || record.is_asked() {
            delivery.strike(py)?;
        }
        Ok(())
    }

    /// Starts a call that another thread makes for `parent`: a section that listens to its cancel.
    pub(super) fn begin_call(&self, parent: &Bound<'_, Self>) {
        let record = self.record();
        let between = record.hang_below(parent.get().record().stop());
        record.begin(true);
        let before = {
            let mut state = self.state.lock();
            state.is_section = true;
            state.is_entered = true;
            state.parent.replace(parent.clone().unbind())
        };
        drop((before, between));
    }

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
    fn end(mut self, record: &Record) {
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

/// What a run goes by, as it stood when it was entered.
struct Given {
    record: Arc<Record>,
    parent: Option<Py<Operation>>,
    is_detached: bool,
    is_section: bool,
    is_stepwise: bool,
    links: Vec<CancellationToken>,
    timeout: Option<f64>,
    grace: Option<f64>,
}

impl Operation {
    /// Sees to a fresh record, and takes down what the run goes by.
    fn prepare(&self, py: Python<'_>) -> PyResult<Given> {
        let is_over = self.record().fields().status.is_terminal();
        if is_over {
            // One that was listed and ended by hand.
            self.unlist(py);
        }
        let fresh = if is_over { Some(self.anew(py)) } else { None };
        let mut state = self.state.lock();
        if state.is_entered {
            let is_left = state.running.is_none();
            drop(state);
            let why = if is_left {
                "has left a thread behind that is still at work, and can be entered again only after that has ended"
            } else {
                "is entered already, and can be entered again only after it was left"
            };
            return Err(PyRuntimeError::new_err(format!(
                "operation {} {why}; make an operation for each use",
                self.shown()
            )));
        }
        state.is_entered = true;
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
            is_section: state.is_section,
            is_stepwise: false,
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

    /// The operation, if it is at work; in the place of a section that is over, whatever that was a section of.
    pub(super) fn at_work(operation: Py<Self>, py: Python<'_>) -> Option<Py<Self>> {
        let mut operation = operation;
        loop {
            let (is_entered, is_section, status, parent) = {
                let state = operation.get().state.lock();
                let parent = state.parent.as_ref().filter(|_| state.is_section);
                let parent = parent.map(|it| it.clone_ref(py));
                let status = state.record.status();
                (state.is_entered, state.is_section, status, parent)
            };
            if is_entered && (is_section || matches!(status, Status::Running | Status::Cancelling))
            {
                return Some(operation);
            }
            operation = parent?;
        }
    }

    /// Whether a cancel of this operation cancels what runs in `task` too, at once: so whatever is entered there need not.
    fn cancels_body_of(&self, task: &Bound<'_, PyAny>) -> bool {
        let delivery = self.delivery();
        delivery.is_some_and(|it| it.task.is(task) && it.grace.is_none())
    }

    pub(super) fn delivery(&self) -> Option<Arc<Delivery>> {
        let state = self.state.lock();
        state.running.as_ref().map(|it| Arc::clone(&it.delivery))
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
            let known = state.running.as_ref().and_then(|it| it.limit_at);
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
                    running.limit_at = Some(at);
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

    /// Has the run be asked to stop when `other` is cancelled, with the reason of that.
    pub(super) fn end_run_with(&self, other: &CancellationToken) {
        let meanwhile = {
            let mut state = self.state.lock();
            let stop = state.record.stop().clone();
            let Some(running) = &mut state.running else {
                return;
            };
            let meanwhile = running.meanwhile.get_or_insert_with(|| {
                let meanwhile = CancellationToken::new();
                stop.link(&meanwhile);
                meanwhile
            });
            meanwhile.clone()
        };
        meanwhile.link(other);
    }

    /// Ends the run: the status is set, and nothing is left of it at the loop and at its token.
    pub(super) fn end(&self, py: Python<'_>, status: Status, error: Option<String>) {
        // What was asked after an error is for whoever still works, and no part of the outcome.
        let why = self.asked(py).filter(|_| status != Status::Failed);
        let record = self.record();
        record.end(Ending {
            status,
            reason: why.as_ref().map(cancelable_core::Cancellation::reason),
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

    /// Lets go of the loop and the token, and leaves the end to a thread that is still at work.
    pub(super) fn leave_behind(&self) {
        let running = self.state.lock().running.take();
        if let Some(running) = running {
            running.end(&self.record());
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
        let record = parent.map(|parent| parent.get().record());
        Some(told::with_parent(why, record.as_ref().map(|it| it.id())))
    }

    pub(crate) fn record(&self) -> Arc<Record> {
        Arc::clone(&self.state.lock().record)
    }

    /// What errors call it: its name, if it has one, and its id.
    pub(super) fn shown(&self) -> String {
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

fn no_native() -> PyErr {
    PyRuntimeError::new_err(
        "scope=\"native\" is for asyncio, whose tasks can be cancelled by themselves; use scope=\"anyio\" on trio",
    )
}
