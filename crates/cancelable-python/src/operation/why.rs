//! `Why`, a cancellation on its way through Python.

use std::borrow::Cow;

use cancelable_core::{Cancellation, Origin};
use pyo3::prelude::*;

use super::told;
use crate::reason;
use crate::text::Text;
use crate::token::Token;

/// See the module's documentation.
#[pyclass(frozen, module = "hother.cancelable._core")]
pub(crate) struct Why(pub(crate) Cancellation);

#[pymethods]
impl Why {
    #[new]
    #[pyo3(signature = (reason, message=None))]
    fn new(reason: &Bound<'_, PyAny>, message: Option<Text>) -> PyResult<Self> {
        let reason = reason::from_python(reason)?;
        let message = message.map(String::from);
        Ok(Self(told_by(Cancellation::new(reason), message)))
    }

    /// That a signal came.
    #[staticmethod]
    fn signal(number: i32, name: String, message: Text) -> Self {
        let origin = Origin::signal(number, Cow::Owned(name));
        Self(Cancellation::from_origin(origin).with_message(message.0))
    }

    /// That a condition was met.
    #[staticmethod]
    fn condition(name: Text, message: Text) -> Self {
        let origin = Origin::condition(name.0);
        Self(Cancellation::from_origin(origin).with_message(message.0))
    }

    /// That a timeout passed, after so many seconds: that of this name, if it has one.
    #[staticmethod]
    #[pyo3(signature = (seconds, name=None))]
    fn timeout(seconds: f64, name: Option<&str>) -> Self {
        Self(told::timed_out(seconds, name))
    }

    /// Why a token was cancelled; `None` if it was not.
    #[staticmethod]
    fn of(token: &Bound<'_, Token>) -> Option<Self> {
        token.get().core().cancellation().map(Self)
    }

    /// The same, with something else said.
    fn with_message(&self, message: Text) -> Self {
        Self(self.0.clone().with_message(message.0))
    }

    /// The reason, as a member of `CancelationReason`.
    #[getter]
    fn reason(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(reason::to_python(py, self.0.reason())?.unbind())
    }

    /// What was said; `None` where nobody said anything.
    #[getter]
    fn message(&self) -> Option<String> {
        told::message(&self.0)
    }

    /// What caused it, if anything did.
    #[getter]
    fn cause(&self) -> Option<Self> {
        self.0.cause().map(Self)
    }

    /// The timeout that passed, in seconds.
    #[getter]
    fn timeout_seconds(&self) -> Option<f64> {
        told::timeout(&self.0)
    }

    /// The id of the operation whose cancel it was.
    #[getter]
    fn parent_id(&self) -> Option<&str> {
        told::parent(&self.0)
    }

    /// The number of the signal that came.
    #[getter]
    fn signal_number(&self) -> Option<i32> {
        told::signal(&self.0)
    }

    /// The name of the condition that was met.
    #[getter]
    fn condition_name(&self) -> Option<&str> {
        told::condition(&self.0)
    }
}

fn told_by(why: Cancellation, message: Option<String>) -> Cancellation {
    match message {
        Some(message) => why.with_message(message),
        None => why,
    }
}
