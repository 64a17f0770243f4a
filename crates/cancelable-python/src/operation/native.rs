//! A scope that is none: the task itself is cancelled, as `asyncio.timeout` does it.
//!
//! It is cheaper than anyio's, and less. The body hears of a cancel once, at the await that it has reached or comes to next. A body that
//! goes on after that hears of it again only where it asks. Of shields it knows those of operations, and none of anyio's.
//!
//! # Invariants
//!
//! 1. **The task is never cancelled while it runs**: then the cancel would stay with the task if the body has no further
//!    await, and hit what comes after. The loop sees to it as soon as the task has given way.
//! 2. **A cancel that was called is taken back** when the operation is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use pyo3::prelude::*;

use super::delivery::{Delivery, Scope};
use crate::found::word;

/// See the module's documentation. Touched on the loop's thread alone, so every access is relaxed.
#[derive(Debug, Default)]
pub(crate) struct Native {
    /// How many sections of shields are open.
    shields: AtomicU32,
    /// Whether a cancel is to be delivered.
    is_due: AtomicBool,
    /// How many times the task was cancelled.
    delivered: AtomicU32,
    has_left: AtomicBool,
}

impl Native {
    /// Cancels the task as soon as that may be.
    pub(super) fn cancel(
        &self,
        py: Python<'_>,
        delivery: &Arc<Delivery>,
        message: Option<String>,
    ) -> PyResult<()> {
        self.is_due.store(true, Ordering::Relaxed);
        let is_running = delivery.home.current_task_if_any(py);
        if is_running.is_some_and(|it| it.is(&delivery.task)) {
            let later = Later(Arc::clone(delivery), message);
            return delivery.home.call_soon(py, Py::new(py, later)?.into_any());
        }
        self.deliver(py, delivery, message)
    }

    fn deliver(
        &self,
        py: Python<'_>,
        delivery: &Arc<Delivery>,
        message: Option<String>,
    ) -> PyResult<()> {
        let waits =
            self.has_left.load(Ordering::Relaxed) || self.shields.load(Ordering::Relaxed) > 0;
        if waits || !self.is_due.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.delivered.fetch_add(1, Ordering::Relaxed);
        let message = message.unwrap_or_default();
        let task = delivery.task.bind(py);
        task.call_method1(word!(py, "cancel"), (message,))?;
        Ok(())
    }

    /// How many cancels of the task are this run's.
    pub(super) fn delivered(&self) -> u32 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Begins a section that no cancel is delivered in.
    pub(super) fn shield(&self) {
        self.shields.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends it; whether a cancel is to be delivered right now, by the caller.
    pub(super) fn unshield(&self) -> bool {
        let is_last = self.shields.fetch_sub(1, Ordering::Relaxed) == 1;
        is_last && self.is_due.swap(false, Ordering::Relaxed)
    }

    /// Whether the body has heard, or is about to hear, of a cancel.
    pub(super) fn is_quiet(&self) -> bool {
        self.delivered() == 0 && !self.is_due.load(Ordering::Relaxed)
    }

    /// Nothing is delivered any more.
    pub(super) fn close(&self) {
        self.has_left.store(true, Ordering::Relaxed);
    }

    /// Takes back what was delivered. The body is over.
    pub(super) fn leave(&self, py: Python<'_>, task: &Py<PyAny>) -> PyResult<()> {
        self.close();
        for _ in 0..self.delivered.swap(0, Ordering::Relaxed) {
            task.call_method0(py, word!(py, "uncancel"))?;
        }
        Ok(())
    }
}

/// A cancel that waits for its task to give way.
#[pyclass(frozen, module = "hother.cancelable._core")]
struct Later(Arc<Delivery>, Option<String>);

#[pymethods]
impl Later {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        match &self.0.scope {
            Scope::Native(native) => native.deliver(py, &self.0, self.1.clone()),
            Scope::Given(_) => Ok(()),
        }
    }
}
