//! `Events`, what happens in a registry, as JSON.

use cancelable_core::{Heard, Subscription};
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// See the module's documentation.
#[pyclass(frozen, module = "hother.cancelable._core")]
pub(crate) struct Events(Mutex<Subscription>);

impl Events {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self(Mutex::new(subscription))
    }
}

#[pymethods]
impl Events {
    /// The next event, if there is one now; `{"lost": n}` in place of those that nobody came for in time.
    fn take(&self) -> PyResult<Option<String>> {
        let heard = self.0.lock().try_next();
        match heard {
            Some(Heard::Event(event)) => serde_json::to_string(&*event)
                .map(Some)
                .map_err(|error| PyValueError::new_err(error.to_string())),
            Some(Heard::Lagged(lost)) => Ok(Some(format!("{{\"lost\": {lost}}}"))),
            Some(_) | None => Ok(None),
        }
    }
}
