//! `hother.cancelable._core`, the native half of the Python package: state, links, waiters, deadlines, streams' bookkeeping and
//! the registry. What awaits user code is Python, in `python/hother/cancelable`.
//!
//! # Invariants
//!
//! 1. **No lock of ours is held while Python runs**: not while it is called, and not while an object of its is dropped, which
//!    may call anything.
//! 2. **A cancel is heard on the loop's own thread**: whoever cancels elsewhere leaves word, and wakes the loop.

mod clock;
mod deadlines;
mod done;
mod exit;
mod fork;
mod found;
mod ids;
mod log;
mod loops;
mod machine;
mod operation;
mod reason;
mod registry;
mod stream;
mod text;
mod token;

/// See the crate's documentation.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::deadlines::{DeadlineHeaders, write_remaining};
    #[pymodule_export]
    use crate::loops::{Home, call_at};
    #[pymodule_export]
    use crate::machine::Machine;
    #[pymodule_export]
    use crate::operation::{Context, Operation, Why};
    #[pymodule_export]
    use crate::registry::{Events, Registry};
    #[pymodule_export]
    use crate::stream::Stream;
    #[pymodule_export]
    use crate::token::{CallbackRegistration, Token};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("DONE", crate::done::Done)?;
        crate::exit::watch(module)?;
        crate::fork::watch(module)
    }
}
