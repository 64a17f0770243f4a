//! The newest items of a stream.

use std::collections::VecDeque;

use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};

/// As many as were asked for, the oldest first.
pub(super) struct Kept {
    items: VecDeque<Py<PyAny>>,
    at_most: usize,
}

impl Kept {
    pub(super) fn newest(at_most: usize) -> Self {
        Self {
            items: VecDeque::new(),
            at_most,
        }
    }

    /// Adds an item; what has to go for it is to be dropped outside of any lock.
    pub(super) fn push(&mut self, item: Py<PyAny>) -> Option<Py<PyAny>> {
        let is_full = self.items.len() == self.at_most;
        let oldest = if is_full {
            self.items.pop_front()
        } else {
            None
        };
        self.items.push_back(item);
        oldest
    }

    pub(super) fn into_list(self, py: Python<'_>) -> PyResult<Py<PyList>> {
        Ok(PyList::new(py, self.items)?.unbind())
    }

    pub(super) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.items.iter().try_for_each(|item| visit.call(item))
    }
}
