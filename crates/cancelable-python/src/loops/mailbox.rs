//! Word left for a loop by other threads: any number of letters, and one wake-up for all of them.
//!
//! # Invariants
//!
//! 1. While letters lie in the box, its postman has been called and not yet come, or the loop is closed.
//! 2. The lock is held for as long as it takes to push or to take letters, and the thread is attached to the interpreter
//!    then; so whoever forks while attached finds it free.

use std::collections::VecDeque;

use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use super::Home;
use crate::log;

/// The letters that lie in wait for one loop.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
}

#[derive(Debug, Default)]
struct Mail {
    /// Callables without arguments, in the order in which they came.
    letters: VecDeque<Py<PyAny>>,
    /// Whether the postman has been called.
    is_called: bool,
}

impl Mailbox {
    /// Adds a letter; whether the postman must be called.
    pub(super) fn put(&self, letter: Py<PyAny>) -> bool {
        let mut mail = self.mail.lock();
        mail.letters.push_back(letter);
        !std::mem::replace(&mut mail.is_called, true)
    }

    /// Everything that lies there. Whoever comes after this calls the postman anew.
    pub(super) fn empty(&self) -> VecDeque<Py<PyAny>> {
        let mut mail = self.mail.lock();
        mail.is_called = false;
        std::mem::take(&mut mail.letters)
    }

    /// Puts back what was not delivered, before what has come since; whether the postman must be called.
    fn put_back(&self, mut letters: VecDeque<Py<PyAny>>) -> bool {
        let mut mail = self.mail.lock();
        letters.append(&mut mail.letters);
        mail.letters = letters;
        !std::mem::replace(&mut mail.is_called, true)
    }
}

/// What a loop calls, on its own thread, to have its letters delivered.
#[pyclass(frozen, module = "hother.cancelable._core")]
#[derive(Debug)]
pub(super) struct Postman {
    pub(super) home: Home,
}

#[pymethods]
impl Postman {
    /// Calls each letter. One that raises stops no other; only what is to end the program goes on to the loop at once,
    /// which hears of the rest by another call.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let mailbox = self.home.mailbox();
        let mut letters = mailbox.empty();
        while let Some(letter) = letters.pop_front() {
            let Err(error) = letter.bind(py).call0() else {
                continue;
            };
            if !error.is_instance_of::<PyException>(py) {
                if !letters.is_empty() && mailbox.put_back(letters) {
                    self.home.call_postman(py);
                }
                return Err(error);
            }
            log::error(
                py,
                "a callback that another thread left for this loop failed",
                &error,
            );
        }
        Ok(())
    }
}
