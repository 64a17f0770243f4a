//! Where an operation stands, as Python names it: two more than Rust's.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::found::Found;

/// `Timeout` is only for contexts that a program makes by hand, `Shielded` for the handle of a shielded section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    #[default]
    Pending,
    Running,
    Cancelling,
    Completed,
    Cancelled,
    Failed,
    Timeout,
    Shielded,
}

impl Status {
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Cancelling | Self::Shielded => false,
            Self::Completed | Self::Cancelled | Self::Failed | Self::Timeout => true,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Shielded => "shielded",
        }
    }

    /// The member of `OperationStatus`, which is the same object each time.
    pub(crate) fn member(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(members(py)?[self as usize].clone_ref(py))
    }

    /// From a member of `OperationStatus`, or its value.
    pub(crate) fn from_python(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let word: Option<String> = given.extract().ok();
        ALL.into_iter()
            .find(|status| word.as_deref() == Some(status.as_str()))
            .ok_or_else(|| {
                PyValueError::new_err(format!(
                    "status must be an OperationStatus or its value, such as \"running\", got {given:?}"
                ))
            })
    }
}

fn members(py: Python<'_>) -> PyResult<&'static [Py<PyAny>]> {
    static MEMBERS: Found<Vec<Py<PyAny>>> = Found::new();
    let members = MEMBERS.or_look(py, || {
        let class = py
            .import("hother.cancelable.core.models")?
            .getattr("OperationStatus")?;
        ALL.iter()
            .map(|status| Ok(class.call1((status.as_str(),))?.unbind()))
            .collect::<PyResult<_>>()
    });
    members.map(Vec::as_slice)
}

/// In the order of the enum, which `member` goes by.
const ALL: [Status; 8] = [
    Status::Pending,
    Status::Running,
    Status::Cancelling,
    Status::Completed,
    Status::Cancelled,
    Status::Failed,
    Status::Timeout,
    Status::Shielded,
];
