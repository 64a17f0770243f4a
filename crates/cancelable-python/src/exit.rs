//! The end of the interpreter: nothing of ours is half-way into Python on another thread when it comes.
//!
//! Before Python 3.14 a thread that wants the interpreter back once that is ending is ended itself, in the middle of whatever
//! called: its Rust frames are unwound, and drop their objects with no interpreter around them. So what may let go of the
//! interpreter, and is called on threads that the end does not wait for, is a [`Flight`]; the end waits until they have landed.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;

/// Something that is on its way into Python, or back into it.
#[derive(Debug)]
pub(crate) struct Flight;

impl Flight {
    /// Begins one; `None` once the end has begun, and then it is too late.
    pub(crate) fn begin() -> Option<Self> {
        let mut traffic = TRAFFIC.lock();
        if traffic.is_closed {
            return None;
        }
        traffic.in_flight += 1;
        Some(Self)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut traffic = TRAFFIC.lock();
        traffic.in_flight = traffic.in_flight.saturating_sub(1);
        LANDED.notify_all();
    }
}

/// Has the interpreter wait for the flights before it ends.
pub(crate) fn watch(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let wait = wrap_pyfunction!(close, module)?;
    module
        .py()
        .import("atexit")?
        .call_method1("register", (wait,))?;
    Ok(())
}

/// A forked child has none of the threads that are in flight.
pub(crate) fn forked() {
    TRAFFIC.lock().in_flight = 0;
}

/// Waits for those in flight, but not for what hangs.
#[pyfunction]
fn close(py: Python<'_>) {
    py.detach(|| {
        let mut traffic = TRAFFIC.lock();
        traffic.is_closed = true;
        LANDED.wait_while_for(&mut traffic, |it| it.in_flight > 0, PATIENCE);
    });
}

#[derive(Debug)]
struct Traffic {
    in_flight: usize,
    is_closed: bool,
}

static TRAFFIC: Mutex<Traffic> = Mutex::new(Traffic {
    in_flight: 0,
    is_closed: false,
});

static LANDED: Condvar = Condvar::new();

/// How long the end waits.
const PATIENCE: Duration = Duration::from_secs(1);
