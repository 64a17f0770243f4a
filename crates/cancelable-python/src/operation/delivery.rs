//! How a cancel reaches the body of an operation that runs: on the thread of its own loop, through its scope.
//!
//! A delivery is the waker that waits at the operation's stop token. It is woken on whichever thread cancels, with or without
//! an interpreter around it; there it either strikes at once, where that is the loop's own thread, or leaves word and wakes
//! the loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use pyo3::prelude::*;

use super::record::Record;
use super::told;
use crate::loops::{Home, Timer};

/// See the module's documentation.
pub(crate) struct Delivery {
    pub(crate) home: Home,
    /// The scope that the body runs in: anyio's, or one of ours.
    pub(crate) scope: Py<PyAny>,
    pub(crate) record: Arc<Record>,
    /// How long after an ask the scope is cancelled, in seconds.
    pub(crate) grace: Option<f64>,
    /// Whether what encloses the operation cancels the body as well, so that this need not.
    pub(crate) is_enclosed: bool,
    is_struck: AtomicBool,
}

impl Delivery {
    pub(crate) fn new(
        home: Home,
        scope: Py<PyAny>,
        record: Arc<Record>,
        grace: Option<f64>,
        is_enclosed: bool,
    ) -> Self {
        Self {
            home,
            scope,
            record,
            grace,
            is_enclosed,
            is_struck: AtomicBool::new(false),
        }
    }

    /// Has the body hear of the ask, once. On the loop's thread.
    pub(crate) fn strike(self: &Arc<Self>, py: Python<'_>) -> PyResult<()> {
        // Relaxed: the loop's thread alone gets here.
        if self.is_struck.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        match self.grace {
            None => self.cancel_scope(py),
            Some(grace) => {
                let at = self.home.time(py)? + grace;
                self.home.arm(py, at, Timer::GraceEnds(Arc::clone(self)))?;
                Ok(())
            }
        }
    }

    /// Cancels the scope: from then on every await of the body raises.
    pub(crate) fn cancel_scope(&self, py: Python<'_>) -> PyResult<()> {
        let Some(why) = self.record.asked() else {
            return Ok(());
        };
        if self.is_enclosed && told::is_by_parent(&why) {
            return Ok(());
        }
        let message = told::message(&why);
        self.scope
            .call_method1(py, pyo3::intern!(py, "cancel"), (message,))?;
        Ok(())
    }

    /// Asks the operation to stop, since its time is up.
    pub(crate) fn time_is_up(&self, after: f64) {
        let why =
            told::timed_out(after).with_message(format!("Operation timed out after {after}s"));
        self.record.stop().cancel_with(why);
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
