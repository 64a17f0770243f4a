//! Who in Python is to hear of a token's cancel: callbacks, and what waits for it.
//!
//! The core knows one callback of ours for each token that has listeners, and that one holds the list weakly: so the
//! interpreter's collector sees whatever hangs on the list, through the token.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use cancelable_core::{CancellationToken, Registration};
use parking_lot::Mutex;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};
use pyo3::{PyTraverseError, PyVisit};

use super::Token;
use crate::found::Found;
use crate::log;
use crate::loops::Home;

/// The listeners of one token, in the order in which they came.
#[derive(Debug)]
pub(super) struct Listeners {
    /// The token, for callbacks to be called with.
    token: Py<PyWeakrefReference>,
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    waiting: BTreeMap<u64, Listener>,
    next: u64,
    /// Whether the cancel has been told: whoever comes later is told at once.
    is_told: bool,
}

/// Somebody to be told, and where that one lives: `None` where no loop ran on the thread that registered it.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) kind: Kind,
    pub(super) called: Py<PyAny>,
    pub(super) home: Option<Home>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Called without arguments, on its own loop.
    Waiter,
    /// Called with the token on the canceller's thread; what is to be awaited of it is awaited on its own loop.
    Callback,
}

impl Listeners {
    /// An empty list, and what ties it to the token of the core.
    pub(super) fn of(
        token: &Bound<'_, Token>,
        core: &CancellationToken,
    ) -> PyResult<(Arc<Self>, Registration)> {
        let listeners = Arc::new(Self {
            token: PyWeakrefReference::new(token)?.unbind(),
            list: Mutex::default(),
        });
        let weak = Arc::downgrade(&listeners);
        let registration = core.on_cancel(move |_| {
            if let Some(listeners) = weak.upgrade() {
                // Nobody is told while the interpreter is about to end.
                Python::try_attach(|py| listeners.tell(py));
            }
        });
        Ok((listeners, registration))
    }

    /// Adds one, or tells it at once where the others have been told. By the number it can be taken out again.
    pub(super) fn add(&self, py: Python<'_>, listener: Listener) -> Option<u64> {
        let mut list = self.list.lock();
        if list.is_told {
            drop(list);
            self.tell_one(py, listener);
            return None;
        }
        let number = list.next;
        list.next += 1;
        list.waiting.insert(number, listener);
        Some(number)
    }

    /// Takes it out; whether it was still there.
    pub(super) fn remove(&self, number: u64) -> bool {
        let removed = self.list.lock().waiting.remove(&number);
        removed.is_some()
    }

    /// Waiters first, so that no callback holds one up.
    fn tell(&self, py: Python<'_>) {
        let listeners = {
            let mut list = self.list.lock();
            list.is_told = true;
            std::mem::take(&mut list.waiting)
        };
        let (waiters, callbacks): (Vec<_>, Vec<_>) = listeners
            .into_values()
            .partition(|listener| listener.kind == Kind::Waiter);
        for listener in waiters.into_iter().chain(callbacks) {
            self.tell_one(py, listener);
        }
    }

    fn tell_one(&self, py: Python<'_>, listener: Listener) {
        let told = match listener.kind {
            Kind::Waiter => wake(py, listener),
            Kind::Callback => self.call(py, listener),
        };
        if let Err(error) = told {
            Telling::failed(py, error);
        }
    }

    /// Calls it; what it gives back to be awaited runs on the loop that it lives on, or where it lives on none, on this
    /// thread's.
    fn call(&self, py: Python<'_>, listener: Listener) -> PyResult<()> {
        static START: Found<Py<PyAny>> = Found::new();
        static LATER: Found<Py<PyAny>> = Found::new();
        let Some(token) = self.token.bind(py).upgrade() else {
            return Ok(());
        };
        let result = listener.called.bind(py).call1((token,))?;
        if result.is_none() || !result.hasattr("__await__")? {
            return Ok(());
        }
        let module = "hother.cancelable.core.awaiting";
        let home = match listener.home {
            Some(home) => Some(home),
            None => Home::current(py)?,
        };
        let is_nowhere = home.is_none();
        match home {
            Some(home) if home.is_here(py) => {
                let start = START.import(py, module, "start")?;
                Telling::started(start.call1((result,))?);
                Ok(())
            }
            home => {
                let later = LATER.import(py, module, "later")?.call1((&result,))?;
                let is_posted = home.is_some_and(|home| home.post(py, later.unbind()));
                if !is_posted && result.hasattr("close")? {
                    result.call_method0("close")?;
                }
                if is_nowhere {
                    return Err(PyRuntimeError::new_err(
                        "no loop to await it on: register an async callback on one, or cancel on one",
                    ));
                }
                Ok(())
            }
        }
    }

    /// The listeners, for the interpreter's collector. None while somebody has them locked, which keeps them all.
    pub(super) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(list) = self.list.try_lock() else {
            return Ok(());
        };
        list.waiting
            .values()
            .try_for_each(|listener| visit.call(&listener.called))
    }

    pub(super) fn clear(&self) {
        let waiting = std::mem::take(&mut self.list.lock().waiting);
        drop(waiting);
    }
}

fn wake(py: Python<'_>, listener: Listener) -> PyResult<()> {
    match listener.home {
        Some(home) if !home.is_here(py) => {
            // A loop that is closed has nobody left to wake.
            home.post(py, listener.called);
            Ok(())
        }
        _ => listener.called.bind(py).call0().map(drop),
    }
}

/// What comes of telling a cancel that somebody in Python called on this thread.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// What the loop of this thread has begun to await on behalf of callbacks.
    pub(super) started: Vec<Py<PyAny>>,
    /// An exception that is to end the program, and not just a callback.
    pub(super) fatal: Option<PyErr>,
}

impl Telling {
    /// Runs `cancel`; what came of it, also where it was called by a callback of another.
    pub(super) fn during<T>(cancel: impl FnOnce() -> T) -> (T, Self) {
        let outer = TELLING.replace(Some(Self::default()));
        let result = cancel();
        (result, TELLING.replace(outer).unwrap_or_default())
    }

    fn started(awaited: Bound<'_, PyAny>) {
        let awaited = awaited.unbind();
        TELLING.with_borrow_mut(|telling| {
            if let Some(telling) = telling {
                telling.started.push(awaited);
            }
        });
    }

    /// A callback that raised stops no other: it is logged, or where it is to end the program raised by whoever cancelled.
    fn failed(py: Python<'_>, error: PyErr) {
        if !error.is_instance_of::<PyException>(py) {
            let error = TELLING.with_borrow_mut(|telling| match telling {
                Some(telling) if telling.fatal.is_none() => {
                    telling.fatal = Some(error);
                    None
                }
                _ => Some(error),
            });
            if let Some(error) = error {
                log::error(py, "a callback of a token failed", &error);
            }
            return;
        }
        log::error(py, "a callback of a token failed", &error);
    }
}

thread_local! {
    static TELLING: RefCell<Option<Telling>> = const { RefCell::new(None) };
}
