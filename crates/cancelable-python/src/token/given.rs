//! Fields of a token that were set by hand.

use cancelable_core::Reason;
use pyo3::prelude::*;

/// What was set by hand, and stands before what the token says by itself for as long as its state is the one it was set in:
/// what was set before a cancel gives way to what that said.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) while_cancelled: bool,
    /// Each is `None` where it was not set, and `Some(None)` where it was set to nothing.
    pub(super) reason: Option<Option<Reason>>,
    pub(super) message: Option<Option<String>>,
    /// A `datetime`.
    pub(super) cancelled_at: Option<Option<Py<PyAny>>>,
}

impl Given {
    /// Nothing set yet, in this state.
    pub(super) fn in_state(while_cancelled: bool) -> Self {
        Self {
            while_cancelled,
            ..Self::default()
        }
    }
}
