//! Tokens as Python sees them.
//!
//! # Invariants
//!
//! 1. What is cancelled is the core's token; the object around it adds an id, fields that were set by hand, and those who
//!    listen.
//! 2. All of that is made on first need, and what few tokens have hangs off one pointer.
//! 3. The lock is held for no longer than it takes to read or write a field, and never while Python runs.

mod given;
mod linked;
mod links;
mod listeners;
mod methods;
mod registration;
mod said;

use std::sync::Arc;

use cancelable_core::{Cancellation, CancellationToken, Reason, Registration};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

pub(crate) use self::links::Links;
pub(crate) use self::registration::CallbackRegistration;

use self::given::Given;
use self::links::Alive;
use self::listeners::{Kind, Listener, Listeners, Telling};
use self::said::cancellation;
use crate::found::Found;
use crate::loops::Home;

/// A token: the base of `CancelationToken`.
#[pyclass(frozen, subclass, weakref, module = "hother.cancelable._core")]
#[derive(Debug)]
pub(crate) struct Token {
    core: CancellationToken,
    more: Mutex<More>,
}

#[derive(Debug, Default)]
struct More {
    id: Option<Py<PyString>>,
    rare: Option<Box<Rare>>,
}

/// What few tokens have.
#[derive(Debug, Default)]
struct Rare {
    given: Given,
    links: Links,
    listeners: Option<Arc<Listeners>>,
    registration: Option<Registration>,
    alive: Alive,
    /// Whether it is the token of something else, which keeps it: a link does not.
    is_around: bool,
    /// The id of the operation that encloses the one whose token this is.
    parent: Option<String>,
}

/// A token of the core on its way into a new object around it.
#[pyclass(frozen, module = "hother.cancelable._core")]
#[derive(Debug)]
struct Around {
    core: CancellationToken,
}

/// A `LinkedCancelationToken` around a token of the core, such as an operation's. Its message names `parent`, the id of an
/// enclosing operation, where the core says no more than that the parent was cancelled.
pub(crate) fn linked_around(
    py: Python<'_>,
    core: &CancellationToken,
    links: Links,
    parent: Option<String>,
) -> PyResult<Py<Token>> {
    static CLASS: Found<Py<PyAny>> = Found::new();
    let class = CLASS.import(py, "hother.cancelable.core.token", "LinkedCancelationToken")?;
    let core = core.clone();
    let made = class.call_method1("__new__", (class, Around { core }))?;
    let token = made.cast_into::<Token>()?;
    token.get().with_rare(|rare| {
        rare.links = links;
        rare.is_around = true;
        rare.parent = parent;
    });
    Ok(token.unbind())
}

impl Token {
    /// The core's token in it.
    pub(crate) fn core(&self) -> &CancellationToken {
        &self.core
    }

    fn with_rare<T>(&self, then: impl FnOnce(&mut Rare) -> T) -> T {
        then(self.more.lock().rare.get_or_insert_default())
    }

    /// What was set by hand, if it was in the state that the token is in now.
    fn given<T>(&self, field: impl FnOnce(&Given) -> Option<T>) -> Option<T> {
        let is_cancelled = self.core.is_cancelled();
        let more = self.more.lock();
        let given = &more.rare.as_ref()?.given;
        (given.while_cancelled == is_cancelled).then(|| field(given))?
    }

    /// Sets a field by hand. What stood there is dropped outside the lock.
    fn give<T>(&self, set: impl FnOnce(&mut Given) -> T) {
        let is_cancelled = self.core.is_cancelled();
        let old = self.with_rare(|rare| {
            let old = (rare.given.while_cancelled != is_cancelled)
                .then(|| std::mem::replace(&mut rare.given, Given::in_state(is_cancelled)));
            (old, set(&mut rare.given))
        });
        drop(old);
    }

    /// The list of those who listen, made if there is none.
    fn listeners(slf: &Bound<'_, Self>) -> PyResult<Arc<Listeners>> {
        let token = slf.get();
        let known = token.with_rare(|rare| rare.listeners.clone());
        if let Some(known) = known {
            return Ok(known);
        }
        let (listeners, registration) = Listeners::of(slf, &token.core)?;
        let mut registration = Some(registration);
        let listeners = token.with_rare(|rare| match &rare.listeners {
            // Somebody was faster, such as a finalizer that ran meanwhile.
            Some(known) => Arc::clone(known),
            None => {
                rare.registration = registration.take();
                Arc::clone(rare.listeners.insert(listeners))
            }
        });
        Ok(listeners)
    }

    fn listen(
        slf: &Bound<'_, Self>,
        kind: Kind,
        called: Py<PyAny>,
    ) -> PyResult<CallbackRegistration> {
        let py = slf.py();
        let home = Home::current(py)?;
        let listeners = Self::listeners(slf)?;
        let listener = Listener { kind, called, home };
        let number = listeners.add(py, listener);
        Ok(CallbackRegistration { listeners, number })
    }

    /// Cancels it; those who listen have been told when this returns.
    fn cancel_with(&self, why: Cancellation) -> PyResult<(bool, Vec<Py<PyAny>>)> {
        let (is_first, telling) = Telling::during(|| self.core.cancel_with(why));
        match telling.fatal {
            Some(fatal) => Err(fatal),
            None => Ok((is_first, telling.started)),
        }
    }

    /// What was given for a cancel by hand before it was called: setting `is_cancelled` takes it up.
    fn cancel_as_given(&self) -> PyResult<()> {
        let (reason, message) = {
            let more = self.more.lock();
            match &more.rare {
                Some(rare) => (rare.given.reason, rare.given.message.clone()),
                None => (None, None),
            }
        };
        let reason = reason.flatten().unwrap_or(Reason::Manual);
        self.cancel_with(cancellation(reason, message.flatten()))?;
        Ok(())
    }
}
