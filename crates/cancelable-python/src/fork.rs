//! How many forks lie between this process and the one that loaded the module.
//!
//! What lives on a loop does not survive a fork: the loop is the parent's, though its object is here. Whoever remembers
//! such a thing remembers the generation too, and passes it over when that has changed (P7).

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::exit;

/// Has the interpreter tell when it has forked.
pub(crate) fn watch(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let os = py.import("os")?;
    if os.hasattr("register_at_fork")? {
        let hooks = PyDict::new(py);
        hooks.set_item("after_in_child", wrap_pyfunction!(forked, module)?)?;
        os.call_method("register_at_fork", (), Some(&hooks))?;
    }
    Ok(())
}

/// The number of forks so far.
pub(crate) fn generation() -> u32 {
    // Relaxed: it changes while the process has a single thread.
    FORKS.load(Ordering::Relaxed)
}

#[pyfunction]
fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    exit::forked();
}

static FORKS: AtomicU32 = AtomicU32::new(0);
