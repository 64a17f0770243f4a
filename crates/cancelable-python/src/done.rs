//! What a function returns that has done its work and may be awaited all the same.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;

/// A coroutine that is over as soon as it is awaited, any number of times, and is not missed when it never is.
#[pyclass(frozen, module = "hother.cancelable._core")]
#[derive(Debug)]
pub(crate) struct Done;

#[pymethods]
impl Done {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__(&self) -> Option<()> {
        None
    }

    /// The end, with `None` as the result.
    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<()> {
        Err(PyStopIteration::new_err(()))
    }

    /// Raises what is given: there is nothing here that could catch it.
    #[pyo3(signature = (kind, value = None, _traceback = None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Err(PyErr::from_value(value.unwrap_or(kind)))
    }

    fn close(&self) {}
}
