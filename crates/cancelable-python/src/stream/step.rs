//! One step of a stream: what is awaited for an item, and how Python drives that.

use pyo3::exceptions::{PyAttributeError, PyBaseException, PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::found::{Found, word};

/// What is awaited: what the source gave for its next item, or what is done once it has answered.
pub(super) struct Step {
    pub(super) awaited: Py<PyAny>,
    pub(super) is_rest: bool,
    /// What is given when the rest is done: without an item, the rest raises.
    pub(super) item: Option<Py<PyAny>>,
}

impl Step {
    pub(super) fn of_source(awaited: Py<PyAny>) -> Self {
        Self {
            awaited,
            is_rest: false,
            item: None,
        }
    }

    pub(super) fn rest(awaited: Py<PyAny>, item: Option<Py<PyAny>>) -> Self {
        Self {
            awaited,
            is_rest: true,
            item,
        }
    }
}

/// What drives that which a source gave for an item, as `await` does.
pub(super) fn driver_of(given: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let py = given.py();
    let error = match given.call_method0(word!(py, "__await__")) {
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => error,
        driver => return driver,
    };
    if given.hasattr(word!(py, "__await__"))? {
        return Err(error);
    }
    // A generator that `types.coroutine` has marked drives itself.
    let inspect = py.import(word!(py, "inspect"))?;
    let is_awaitable = inspect.call_method1(word!(py, "isawaitable"), (&given,))?;
    if is_awaitable.is_truthy()? {
        return Ok(given);
    }
    Err(PyTypeError::new_err(format!(
        "__anext__ of a stream's source must give what can be awaited, got {}",
        given.get_type().name()?
    )))
}

/// The error that `throw` was called with: by itself, or by its class, itself and a traceback.
pub(super) fn error_of(raised: &Bound<'_, PyTuple>) -> PyResult<PyErr> {
    let mut given = raised.iter().take(2);
    let error = match given.find(|it| it.is_instance_of::<PyBaseException>()) {
        Some(error) => error,
        None => raised.get_item(0)?,
    };
    Ok(PyErr::from_value(error))
}

/// `next`, which costs less to call than the method that it stands for.
pub(super) fn next(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static NEXT: Found<Py<PyAny>> = Found::new();
    NEXT.import(py, "builtins", "next")
}

pub(super) fn is_async_generator(source: &Bound<'_, PyAny>) -> PyResult<bool> {
    static CLASS: Found<Py<PyAny>> = Found::new();
    let class = CLASS.import(source.py(), "types", "AsyncGeneratorType")?;
    Ok(source.get_type().is(class))
}

/// What gives `item` to whoever awaits: made by calling the class, since an item that is a tuple would be taken apart else.
pub(super) fn stop_iteration(py: Python<'_>, item: Py<PyAny>) -> PyErr {
    let class = py.get_type::<PyStopIteration>();
    class
        .call1((item,))
        .map_or_else(|error| error, PyErr::from_value)
}
