//! What went wrong where nobody can be told: it is logged, under `hother.cancelable`.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::found::Found;

/// Logs `error`, with its traceback. A logger that fails itself is reported as the interpreter reports what it cannot raise.
pub(crate) fn error(py: Python<'_>, text: &str, error: &PyErr) {
    if let Err(worse) = try_error(py, text, error) {
        worse.write_unraisable(py, None);
    }
}

fn try_error(py: Python<'_>, text: &str, error: &PyErr) -> PyResult<()> {
    static LOGGER: Found<Py<PyAny>> = Found::new();
    let logger = LOGGER.or_look(py, || {
        let logging = py.import("hother.cancelable.utils.logging")?;
        logging
            .call_method1("get_logger", ("hother.cancelable",))
            .map(Bound::unbind)
    })?;
    let how = PyDict::new(py);
    how.set_item("exc_info", error.value(py))?;
    logger.bind(py).call_method("error", (text,), Some(&how))?;
    Ok(())
}
