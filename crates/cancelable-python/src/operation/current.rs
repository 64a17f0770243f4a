//! Which operation is at work, where one stands for another.

use pyo3::prelude::*;

use super::{Operation, Status};

impl Operation {
    /// The operation, if it is at work; in the place of a section, whatever that is a section of.
    pub(super) fn current(slf: &Bound<'_, Self>, py: Python<'_>) -> Option<Py<Self>> {
        let mut operation = Self::at_work(slf.clone().unbind(), py)?;
        loop {
            let around = {
                let state = operation.get().state.lock();
                let around = state.parent.as_ref().filter(|_| state.is_section);
                around.map(|it| it.clone_ref(py))
            };
            match around {
                Some(around) => operation = around,
                None => return Some(operation),
            }
        }
    }

    /// The operation, if it is at work; in the place of a section that is over, whatever that was a section of.
    pub(super) fn at_work(operation: Py<Self>, py: Python<'_>) -> Option<Py<Self>> {
        let mut operation = operation;
        loop {
            let (is_entered, is_section, status, parent) = {
                let state = operation.get().state.lock();
                let parent = state.parent.as_ref().filter(|_| state.is_section);
                let parent = parent.map(|it| it.clone_ref(py));
                let status = state.record.status();
                (state.is_entered, state.is_section, status, parent)
            };
            if is_entered && (is_section || matches!(status, Status::Running | Status::Cancelling))
            {
                return Some(operation);
            }
            operation = parent?;
        }
    }
}
