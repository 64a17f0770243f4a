//! How a cancel reaches the body of an operation that runs: on the thread of its own loop, through its scope.
//!
//! A delivery is the waker that waits at the operation's stop token. It is woken on whichever thread cancels, with or without
//! an interpreter around it; there it either strikes at once, where that is the loop's own thread, or leaves word and wakes
//! the loop.

use std::sync::Arc;
use std::task::Wake;

use cancelable_core::Reason;
use parking_lot::Mutex;
use pyo3::prelude::*;

use super::graces::{Grace, Graces};
use super::native::Native;
use super::record::Record;
use super::told;
use crate::found::word;
use crate::loops::{Home, Timer};

/// See the module's documentation.
pub(crate) struct Delivery {
    pub(crate) home: Home,
    pub(crate) scope: Scope,
    /// The task that the body runs in.
    pub(crate) task: Py<PyAny>,
    /// How many cancels of the task were under way when it was entered, which are no business of this run's.
    pub(crate) cancels_before: u32,
    pub(crate) record: Arc<Record>,
    pub(super) grace: Grace,
    /// Whether what encloses the operation cancels the body as well, so that this need not.
    pub(crate) is_enclosed: bool,
    heard: Mutex<Heard>,
}

/// What the body runs in.
pub(crate) enum Scope {
    /// A scope of anyio's.
    Given(Py<PyAny>),
    /// None: its task is cancelled.
    Native(Native),
}

/// What the loop's thread alone touches.
#[derive(Default)]
struct Heard {
    is_struck: bool,
    /// Whether the scope has been cancelled, and so is whatever joins later.
    is_cancelled: bool,
    /// The scopes of the tasks that work for the operation.
    tasks: Vec<Py<PyAny>>,
}

impl Delivery {
    pub(crate) fn new(
        home: Home,
        scope: Scope,
        task: Py<PyAny>,
        cancels_before: u32,
        record: Arc<Record>,
        graces: Option<Box<Graces>>,
        is_enclosed: bool,
    ) -> Self {
        let grace = Grace {
            graces: Mutex::new(graces),
            timer: Mutex::default(),
        };
        Self {
            home,
            scope,
            task,
            cancels_before,
            record,
            grace,
            is_enclosed,
            heard: Mutex::default(),
        }
    }

    /// Has the body hear of the ask, once. On the loop's thread.
    pub(crate) fn strike(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        if std::mem::replace(&mut self.heard.lock().is_struck, true) {
            return Ok(());
        }
        let left = self.seconds_of_grace_left();
        if left <= 0.0 {
            return self.cancel_scope(py);
        }
        let at = self.home.time(py)? + left;
        let timer = self.home.arm(py, at, Timer::GraceEnds(Arc::clone(self)))?;
        *self.grace.timer.lock() = Some(timer);
        Ok(())
    }

    /// Whether it has any grace, for whatever reason.
    pub(crate) fn has_grace(&self) -> bool {
        self.grace.graces.lock().is_some()
    }

    /// How long the body may go on from now, after the ask that came: by its own graces, or since its loop's shutdown spares it.
    fn seconds_of_grace_left(&self) -> f64 {
        let Some(reason) = self.record.asked().map(|why| why.original().reason()) else {
            return 0.0;
        };
        let own = {
            let graces = self.grace.graces.lock();
            graces.as_ref().and_then(|it| it.after(reason))
        };
        let own = own.map_or(0.0, |seconds| seconds - self.seconds_since_ask());
        match reason {
            Reason::Shutdown => self.home.seconds_spared().max(own),
            _ => own,
        }
    }

    /// How long ago it was asked to stop; counted from its start, where that was later.
    pub(crate) fn seconds_since_ask(&self) -> f64 {
        let asked = self.record.asked().map(|why| why.instant().elapsed());
        let began = self.record.fields().began.map(|began| began.elapsed());
        let since = match (asked, began) {
            (Some(asked), Some(began)) => asked.min(began),
            (Some(since), None) => since,
            (None, _) => return 0.0,
        };
        since.as_secs_f64()
    }

    /// Cancels the body and the tasks beside it: from then on their awaits raise.
    pub(crate) fn cancel_scope(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        let Some(why) = self.record.asked() else {
            return Ok(());
        };
        let tasks = {
            let mut heard = self.heard.lock();
            heard.is_cancelled = true;
            std::mem::take(&mut heard.tasks)
        };
        let message = told::message(&why);
        for task in &tasks {
            task.call_method1(py, word!(py, "cancel"), (&message,))?;
        }
        if self.is_enclosed && told::is_by_parent(&why) {
            return Ok(());
        }
        match &self.scope {
            Scope::Given(scope) => {
                scope.call_method1(py, word!(py, "cancel"), (message,))?;
                Ok(())
            }
            Scope::Native(native) => native.cancel(py, self, message),
        }
    }

    /// Has the scope of a task be cancelled with the operation.
    pub(crate) fn join(&self, py: Python<'_>, scope: Py<PyAny>) -> PyResult<()> {
        let late = {
            let mut heard = self.heard.lock();
            if heard.is_cancelled {
                Some(scope)
            } else {
                heard.tasks.push(scope);
                None
            }
        };
        if let Some(scope) = late {
            scope.call_method0(py, word!(py, "cancel"))?;
        }
        Ok(())
    }

    /// Forgets the scope of a task that has ended.
    pub(crate) fn part(&self, scope: &Bound<'_, PyAny>) {
        let gone = {
            let mut heard = self.heard.lock();
            let at = heard.tasks.iter().position(|it| it.is(scope));
            at.map(|at| heard.tasks.swap_remove(at))
        };
        drop(gone);
    }

    /// Nothing more is to be heard of it, nor of word that lies in the loop's mailbox.
    pub(crate) fn close(&self) {
        if let Scope::Native(native) = &self.scope {
            native.close();
        }
        let timer = self.grace.timer.lock().take();
        if let Some(timer) = timer {
            self.home.disarm(timer);
        }
        let tasks = std::mem::take(&mut self.heard.lock().tasks);
        drop(tasks);
    }

    /// Whether somebody else has cancelled the task meanwhile, by whatever way there is to do that.
    pub(crate) fn has_foreign_cancel(&self, py: Python<'_>) -> PyResult<bool> {
        let now = self.home.cancels_of(py, &self.task)?;
        let own = match &self.scope {
            Scope::Given(_) => 0,
            Scope::Native(native) => native.delivered(),
        };
        Ok(now > self.cancels_before + own)
    }

    /// Asks the operation to stop, since its time is up.
    pub(crate) fn time_is_up(&self, after: f64) {
        self.record.stop().cancel_with(told::timed_out(after, None));
    }

    fn hear(self: Arc<Self>) {
        // Where the interpreter is on its way out there is nobody left to tell.
        let _ = Python::try_attach(|py| {
            if self.home.is_here(py) {
                if let Err(error) = self.strike(py) {
                    error.write_unraisable(py, None);
                }
            } else {
                let home = self.home.clone();
                match Py::new(py, Word(self)) {
                    Ok(word) => drop(home.post(py, word.into_any())),
                    Err(error) => error.write_unraisable(py, None),
                }
            }
        });
    }
}

impl Wake for Delivery {
    fn wake(self: Arc<Self>) {
        self.hear();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Arc::clone(self).hear();
    }
}

/// What is left in the loop's mailbox.
#[pyclass(frozen, module = "hother.cancelable._core")]
struct Word(Arc<Delivery>);

#[pymethods]
impl Word {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.0.strike(py)
    }
}
