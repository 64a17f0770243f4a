//! Work outside the interpreter that Python can cancel, by a token or by Ctrl-C.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use cancelable_core::{Cancellation, CancellationToken, Reason};
use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;

use crate::PythonTokens;

/// Runs `work` with a token that is cancelled when `python` is, a `CancelationToken`; other Python threads go on meanwhile.
///
/// On Python's main thread, which is the one that handles signals, `work` runs on a thread beside, while this one hears of them:
/// an exception that a handler raises, such as `KeyboardInterrupt`, cancels the token with reason
/// [`Signal`](Reason::Signal), and is raised once `work` has returned. So Ctrl-C works as in Python, within a twentieth of a
/// second. Work that does not ask the token is not interrupted.
///
/// # Errors
///
/// What a signal's handler raised, or what [`PythonTokens::follow_python`] does. A cancel is none: what comes of that is for
/// `work` to say.
///
/// # Panics
///
/// If `work` does.
pub fn run<T: Send>(
    python: &Bound<'_, PyAny>,
    work: impl FnOnce(&CancellationToken) -> T + Send,
) -> PyResult<T> {
    let py = python.py();
    let token = CancellationToken::new();
    let _link = token.follow_python(python)?;
    if is_main_thread(py)? {
        beside(py, &token, work)
    } else {
        Ok(py.detach(|| work(&token)))
    }
}

/// Runs it on a thread of its own, and hears of signals until it is done.
fn beside<T: Send>(
    py: Python<'_>,
    token: &CancellationToken,
    work: impl FnOnce(&CancellationToken) -> T + Send,
) -> PyResult<T> {
    let done = Done::default();
    let mut raised = Ok(());
    let result = thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let _tells = TellsAtTheEnd(&done);
            work(token)
        });
        while !py.detach(|| done.wait_for(BETWEEN_SIGNALS)) {
            if raised.is_ok() {
                raised = py.check_signals();
                if raised.is_err() {
                    let why = Cancellation::new(Reason::Signal).with_message("interrupted");
                    token.cancel_with(why);
                }
            }
        }
        worker.join()
    });
    let result = result.unwrap_or_else(|panic| resume_unwind(panic));
    raised.map(|()| result)
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let current = threading.call_method0("current_thread")?;
    Ok(current.is(&threading.call_method0("main_thread")?))
}

#[derive(Default)]
struct Done {
    is_done: Mutex<bool>,
    changed: Condvar,
}

impl Done {
    /// Whether it is done, or becomes so within this time.
    fn wait_for(&self, time: Duration) -> bool {
        let mut is_done = self.is_done.lock();
        if !*is_done {
            self.changed.wait_for(&mut is_done, time);
        }
        *is_done
    }
}

/// Also where the work panics.
struct TellsAtTheEnd<'a>(&'a Done);

impl Drop for TellsAtTheEnd<'_> {
    fn drop(&mut self) {
        *self.0.is_done.lock() = true;
        self.0.changed.notify_one();
    }
}

const BETWEEN_SIGNALS: Duration = Duration::from_millis(50);
