//! How many forks lie between this process and the one that loaded the module.
//!
//! What lives on a loop does not survive a fork: the loop is the parent's, though its object is here. Whoever remembers
//! such a thing remembers the generation too, and passes it over when that has changed (P7).

use std::mem::ManuallyDrop;
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

/// What is of use to the process alone that made it, since it has locks inside.
///
/// In a child, these may be held by threads that are not there, and what they guard may be half changed. So there it cannot be
/// got at, and is not even dropped.
pub(crate) struct Own<T> {
    value: Option<T>,
    generation: u32,
}

impl<T> Own<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Some(value),
            generation: generation(),
        }
    }

    /// `None` in a child of the process that made it.
    pub(crate) fn get(&self) -> Option<&T> {
        let is_own = self.generation == generation();
        self.value.as_ref().filter(|_| is_own)
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if self.generation != generation() {
            let _left_alone = ManuallyDrop::new(self.value.take());
        }
    }
}

#[pyfunction]
fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    exit::forked();
}

static FORKS: AtomicU32 = AtomicU32::new(0);
