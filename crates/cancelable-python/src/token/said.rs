//! What the arguments of a call say, or what is wrong with them.

use cancelable_core::{Cancellation, Reason};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::reason;

/// What the arguments of a cancel say.
pub(super) fn said(
    reason: Option<&Bound<'_, PyAny>>,
    message: Option<String>,
) -> PyResult<Cancellation> {
    let Some(first) = reason else {
        return Ok(cancellation(Reason::Manual, message));
    };
    if reason::is_member(first)? {
        return Ok(cancellation(reason::from_python(first)?, message));
    }
    match first.cast::<PyString>() {
        Ok(text) if message.is_none() => Ok(cancellation(
            Reason::Manual,
            Some(text.to_string_lossy().into_owned()),
        )),
        Ok(_) => Ok(cancellation(reason::from_python(first)?, message)),
        Err(_) => Err(PyTypeError::new_err(format!(
            "reason must be a CancelationReason, or a message as a string, got {}",
            first.get_type().name()?
        ))),
    }
}

pub(super) fn not_a_token(given: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "token must be a CancelationToken, got {}: of an operation it is its .token",
        given
            .get_type()
            .name()
            .map_or_else(|_| "another object".into(), |it| it.to_string())
    ))
}

pub(super) fn cancellation(reason: Reason, message: Option<String>) -> Cancellation {
    let why = Cancellation::new(reason);
    match message {
        Some(message) => why.with_message(message),
        None => why,
    }
}
