//! Tokens as Python sees them.

use cancelable_core::CancellationToken;
use pyo3::prelude::*;

/// A token: the base of `CancelationToken`.
#[pyclass(frozen, subclass, weakref, module = "hother.cancelable._core")]
#[derive(Debug)]
pub(crate) struct Token {
    core: CancellationToken,
}

#[pymethods]
impl Token {
    #[new]
    fn new() -> Self {
        Self {
            core: CancellationToken::new(),
        }
    }

    /// Whether it is cancelled.
    #[getter]
    fn is_cancelled(&self) -> bool {
        self.core.is_cancelled()
    }
}
