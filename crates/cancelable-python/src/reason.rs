//! Reasons as Python writes them: members of `CancelationReason`.

use cancelable_core::Reason;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::found::Found;

/// The member for `reason`.
pub(crate) fn to_python(py: Python<'_>, reason: Reason) -> PyResult<Bound<'_, PyAny>> {
    let members = MEMBERS.or_look(py, || {
        let class = class(py)?;
        Reason::ALL
            .iter()
            .map(|reason| Ok((*reason, class.call1((reason.as_str(),))?.unbind())))
            .collect::<PyResult<Vec<_>>>()
    })?;
    let member = members.iter().find(|(each, _)| *each == reason);
    Ok(member.map_or_else(|| py.None().into_bound(py), |(_, it)| it.bind(py).clone()))
}

/// The reason that a member stands for, or one of its values, such as `"timeout"`.
pub(crate) fn from_python(given: &Bound<'_, PyAny>) -> PyResult<Reason> {
    let known = given.cast::<PyString>().ok().and_then(|text| {
        let text = text.to_str().ok()?;
        Reason::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == text)
    });
    known.ok_or_else(|| {
        PyTypeError::new_err(format!(
            "reason must be a CancelationReason, such as CancelationReason.MANUAL, got {}",
            given
                .repr()
                .map_or_else(|_| given.get_type().to_string(), |it| it.to_string())
        ))
    })
}

/// Whether `given` is a member of the enum, and not just a string that equals one.
pub(crate) fn is_member(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(given.get_type().is(class(given.py())?))
}

fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static CLASS: Found<Py<PyAny>> = Found::new();
    CLASS.import(py, "hother.cancelable.core.models", "CancelationReason")
}

static MEMBERS: Found<Vec<(Reason, Py<PyAny>)>> = Found::new();
