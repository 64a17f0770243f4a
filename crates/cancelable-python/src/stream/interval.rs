//! How often a stream reports, as programs say it.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyInt;

/// Every how many items a report is due.
pub(super) fn interval(given: &Bound<'_, PyAny>) -> PyResult<u64> {
    if !given.is_instance_of::<PyInt>() {
        return Err(PyTypeError::new_err(format!(
            "report_interval must be an integer, or None for no reports, got {}",
            given.get_type().name()?
        )));
    }
    let every = given.extract::<i64>().ok();
    every
        .and_then(|every| u64::try_from(every).ok())
        .ok_or_else(|| {
            PyValueError::new_err(format!(
                "report_interval must be at least 1, and less than 2**63, or None for no reports, got {given}"
            ))
        })
}
