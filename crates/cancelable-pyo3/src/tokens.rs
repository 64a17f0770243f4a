//! Links between our tokens and Python's, each by the other's callbacks.

use cancelable_core::{Cancellation, CancellationToken, Reason, Registration};
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

/// Links between our tokens and those of the Python package `hother.cancelable`.
///
/// Each function links one way; use both, and a cancel of either reaches the other, with its reason and message. A link lasts
/// as long as the [`Registration`] that it returns: dropping that undoes it, [`detach`](Registration::detach) leaves it for as
/// long as our token lives.
///
/// # The interpreter
///
/// A cancel of ours waits for the interpreter, on the thread that cancels, and so does whoever undoes a link by which ours
/// follows Python's. So hold no lock then that somebody wants who is attached to the interpreter. Where the interpreter has
/// ended, nobody is told.
pub trait PythonTokens {
    /// Has our token cancelled when `python` is; at once if it is already.
    ///
    /// When Python's cancel returns, ours is cancelled, its waiters are woken and its callbacks have run.
    ///
    /// # Errors
    ///
    /// What Python raised, such as an `AttributeError` because `python` is no token: it must have `on_cancel`.
    fn follow_python(&self, python: &Bound<'_, PyAny>) -> PyResult<Registration>;

    /// Has `python` cancelled when our token is; at once if it is already.
    ///
    /// When our cancel returns, so is Python's, by a call of its `cancel_sync`, and loops that wait for it are woken.
    fn lead_python(&self, python: &Bound<'_, PyAny>) -> Registration;
}

impl PythonTokens for CancellationToken {
    fn follow_python(&self, python: &Bound<'_, PyAny>) -> PyResult<Registration> {
        let py = python.py();
        let ours = self.downgrade();
        let follow = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
            let why = said(&args.get_item(0)?)?;
            if let Some(ours) = ours.upgrade() {
                ours.cancel_with(why);
            }
            PyResult::Ok(())
        };
        let follow = PyCFunction::new_closure(py, None, None, follow)?;
        let registered = Registered(python.call_method1("on_cancel", (follow,))?.unbind());
        // Not called for what it does, but for what it holds: the registration there, for as long as it matters.
        Ok(self.on_cancel(move |_| drop(registered)))
    }

    fn lead_python(&self, python: &Bound<'_, PyAny>) -> Registration {
        let python = python.clone().unbind();
        self.on_cancel(move |why| {
            Python::try_attach(|py| {
                let python = python.bind(py);
                if let Err(error) = tell(python, why) {
                    // Such as a callback's that is to end the program; there is nobody here to raise it to.
                    error.write_unraisable(py, Some(python));
                }
            });
        })
    }
}

/// A callback that a token of Python's has, until this is dropped.
struct Registered(Py<PyAny>);

impl Drop for Registered {
    fn drop(&mut self) {
        Python::try_attach(|py| {
            let registered = self.0.bind(py);
            if let Err(error) = registered.call_method0("deregister") {
                error.write_unraisable(py, Some(registered));
            }
        });
    }
}

/// Why a token of Python's was cancelled.
fn said(python: &Bound<'_, PyAny>) -> PyResult<Cancellation> {
    // Members of the enumeration are strings as well.
    let reason: Option<String> = python.getattr("reason")?.extract()?;
    let message: Option<String> = python.getattr("message")?.extract()?;
    let known = |reason: String| Reason::ALL.iter().find(|it| it.as_str() == reason);
    let why = Cancellation::new(reason.and_then(known).copied().unwrap_or(Reason::Manual));
    Ok(match message {
        Some(message) => why.with_message(message),
        None => why,
    })
}

fn tell(python: &Bound<'_, PyAny>, why: &Cancellation) -> PyResult<()> {
    let models = python.py().import("hother.cancelable.core.models")?;
    let reason = models.call_method1("CancelationReason", (why.reason().as_str(),))?;
    python.call_method1("cancel_sync", (reason, why.message()))?;
    Ok(())
}
