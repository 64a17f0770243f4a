//! Entering: what a run goes by, and its start.

use std::sync::Arc;
use std::task::{Context, Waker};

use cancelable_core::{CancellationToken, Origin, Reason, WakerSlot};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::Operation;
use super::delivery::{Delivery, Scope};
use super::graces::Graces;
use super::native::Native;
use super::record::Record;
use super::run::Running;
use crate::found::Found;
use crate::loops::{Home, Timer};
use crate::registry::Registry;

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
        load_what_ends_one(py)?;
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
            given.graces,
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
    graces: Option<Box<Graces>>,
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
            graces: state.graces.clone(),
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

    /// Whether a cancel of this operation cancels what runs in `task` too, at once: so whatever is entered there need not.
    fn cancels_body_of(&self, task: &Bound<'_, PyAny>) -> bool {
        let delivery = self.delivery();
        delivery.is_some_and(|it| it.task.is(task) && !it.has_grace())
    }
}

/// Has the Python half import what an operation ends with, once.
fn load_what_ends_one(py: Python<'_>) -> PyResult<()> {
    static LOADED: Found<()> = Found::new();
    LOADED.or_look(py, || {
        let cancelable = py.import("hother.cancelable.core.cancelable")?;
        cancelable.call_method0("load_what_ends_one").map(drop)
    })?;
    Ok(())
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
