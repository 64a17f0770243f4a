//! [`CallbackRegistration`], by which a callback is taken back.

use std::sync::Arc;

use pyo3::prelude::*;

use super::listeners::Listeners;

/// What a callback is taken back by. Letting go of it leaves the callback where it is.
#[pyclass(frozen, module = "hother.cancelable._core")]
#[derive(Debug)]
pub(crate) struct CallbackRegistration {
    pub(super) listeners: Arc<Listeners>,
    /// `None` where it was called at once.
    pub(super) number: Option<u64>,
}

#[pymethods]
impl CallbackRegistration {
    /// Takes the callback back, and says whether that was in time: after `True` it was not called and never will be.
    fn deregister(&self) -> bool {
        self.number
            .is_some_and(|number| self.listeners.remove(number))
    }
}
