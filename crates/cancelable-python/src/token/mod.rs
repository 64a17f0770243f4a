//! Tokens as Python sees them.
//!
//! # Invariants
//!
//! 1. What is cancelled is the core's token; the object around it adds an id, fields that were set by hand, and those who
//!    listen.
//! 2. All of that is made on first need, and what few tokens have hangs off one pointer.
//! 3. The lock is held for no longer than it takes to read or write a field, and never while Python runs.

mod given;
mod links;
mod listeners;

use std::sync::Arc;
use std::time::SystemTime;

use cancelable_core::{Cancellation, CancellationToken, Reason, Registration};
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

pub(crate) use self::links::Links;

use self::given::Given;
use self::links::{Alive, Heard, Link};
use self::listeners::{Kind, Listener, Listeners, Telling};
use crate::loops::Home;
use crate::reason;

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
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.import(py, "hother.cancelable.core.token", "LinkedCancelationToken")?;
    let core = core.clone();
    let made = class.call_method1("__new__", (class, Around { core }))?;
    let token = made.cast_into::<Token>()?;
    if !links.is_empty() || parent.is_some() {
        token.get().with_rare(|rare| {
            rare.links = links;
            rare.parent = parent;
        });
    }
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

#[pymethods]
impl Token {
    /// Takes anything: the fields are for `__init__`, as they are with a model.
    #[new]
    #[pyo3(signature = (*args, **_data), text_signature = "(**data)")]
    fn new(args: &Bound<'_, PyTuple>, _data: Option<&Bound<'_, PyDict>>) -> Self {
        let around = args.get_item(0).ok();
        let around = around.and_then(|it| it.cast_into::<Around>().ok());
        Self {
            core: around.map_or_else(CancellationToken::new, |it| it.get().core.clone()),
            more: Mutex::default(),
        }
    }

    /// The class that knows the fields sees to it, where there is anything to set.
    #[pyo3(signature = (**data))]
    fn __init__(slf: &Bound<'_, Self>, data: Option<Bound<'_, PyDict>>) -> PyResult<()> {
        let py = slf.py();
        if data.is_some() || !slf.getattr(intern!(py, "_own_fields"))?.is_none() {
            let data = data.unwrap_or_else(|| PyDict::new(py));
            slf.call_method1("_fill", (data,))?;
        }
        Ok(())
    }

    /// The fields that a class has beside the native ones.
    #[classattr]
    fn _own_fields() -> Option<Py<PyDict>> {
        None
    }

    /// A name that no other token has, unless it was given one: by it tokens are compared.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        if let Some(id) = &self.more.lock().id {
            return id.bind(py).clone();
        }
        let mut text = uuid::Uuid::encode_buffer();
        let made = PyString::new(
            py,
            uuid::Uuid::new_v4().hyphenated().encode_lower(&mut text),
        );
        let mut more = self.more.lock();
        more.id
            .get_or_insert_with(|| made.unbind())
            .bind(py)
            .clone()
    }

    #[setter]
    fn set_id(&self, id: Bound<'_, PyString>) {
        let old = self.more.lock().id.replace(id.unbind());
        drop(old);
    }

    /// Whether it is cancelled. Setting it cancels the token; a token that is cancelled stays so.
    #[getter]
    fn is_cancelled(&self) -> bool {
        self.core.is_cancelled()
    }

    #[setter]
    fn set_is_cancelled(&self, is_cancelled: bool) -> PyResult<()> {
        match (is_cancelled, self.core.is_cancelled()) {
            (true, false) => self.cancel_as_given(),
            (false, true) => Err(PyValueError::new_err(
                "is_cancelled cannot be taken back: a cancelled token stays so, make a new one instead",
            )),
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// Why it was cancelled, as a word to branch on.
    #[getter]
    fn reason<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let given = self.given(|given| given.reason);
        let reason = given.unwrap_or_else(|| self.core.cancellation().map(|why| why.reason()));
        match reason {
            Some(reason) => reason::to_python(py, reason),
            None => Ok(py.None().into_bound(py)),
        }
    }

    #[setter]
    fn set_reason(&self, given: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let reason = given.map(reason::from_python).transpose()?;
        self.give(|given| given.reason = Some(reason));
        Ok(())
    }

    /// What was said when it was cancelled, for people to read.
    #[getter]
    fn message(&self, py: Python<'_>) -> Option<String> {
        if let Some(given) = self.given(|given| given.message.clone()) {
            return given;
        }
        let why = self.core.cancellation()?;
        match why.given_message() {
            Some(message) => Some(message.to_owned()),
            None if why.reason() == Reason::Parent => self.name_of_parent(py, &why),
            None => None,
        }
    }

    #[setter]
    fn set_message(&self, message: Option<String>) {
        self.give(|given| given.message.replace(message));
    }

    /// When it was cancelled, in UTC.
    #[getter]
    fn cancelled_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let given = {
            let is_cancelled = self.core.is_cancelled();
            let more = self.more.lock();
            let rare = more
                .rare
                .as_ref()
                .filter(|it| it.given.while_cancelled == is_cancelled);
            let given = rare.and_then(|rare| rare.given.cancelled_at.as_ref());
            given.map(|given| given.as_ref().map(|it| it.clone_ref(py)))
        };
        if let Some(given) = given {
            return Ok(given.unwrap_or_else(|| py.None()).into_bound(py));
        }
        let at: Option<SystemTime> = self.core.cancellation().map(|why| why.at());
        at.into_bound_py_any(py)
    }

    #[setter]
    fn set_cancelled_at(&self, cancelled_at: Option<Py<PyAny>>) {
        self.give(|given| given.cancelled_at.replace(cancelled_at));
    }

    /// Cancels the token and whatever hangs on it, from any thread; whether this was the call that did.
    ///
    /// A member of `CancelationReason` given first is the reason, any other string the message.
    #[pyo3(signature = (reason = None, message = None))]
    fn _cancel_sync(
        &self,
        reason: Option<&Bound<'_, PyAny>>,
        message: Option<String>,
    ) -> PyResult<bool> {
        Ok(self.cancel_with(said(reason, message)?)?.0)
    }

    /// The same, and what the loop of this thread has begun to await for callbacks.
    #[pyo3(signature = (reason = None, message = None))]
    fn _cancel(
        &self,
        reason: Option<&Bound<'_, PyAny>>,
        message: Option<String>,
    ) -> PyResult<(bool, Option<Vec<Py<PyAny>>>)> {
        let (is_first, started) = self.cancel_with(said(reason, message)?)?;
        Ok((is_first, (!started.is_empty()).then_some(started)))
    }

    /// Has `wake` called on this thread's loop when the token is cancelled; at once if it is already.
    fn _wait(slf: &Bound<'_, Self>, wake: Py<PyAny>) -> PyResult<CallbackRegistration> {
        Self::listen(slf, Kind::Waiter, wake)
    }

    /// Has `callback` called with the token when that is cancelled; at once if it is already. What this returns takes it back.
    fn on_cancel(
        slf: &Bound<'_, Self>,
        callback: Bound<'_, PyAny>,
    ) -> PyResult<CallbackRegistration> {
        if !callback.is_callable() {
            let kind = callback.get_type();
            let what = format!("callback must be callable, got {}", kind.name()?);
            return Err(PyTypeError::new_err(what));
        }
        Self::listen(slf, Kind::Callback, callback.unbind())
    }

    /// Has this token cancelled when `other` is.
    fn _link(&self, other: &Bound<'_, PyAny>, keeps_reason: bool, is_linked: bool) -> PyResult<()> {
        let other = other.cast::<Self>().map_err(|_| not_a_token(other))?;
        if self.core.is_cancelled() {
            return Ok(());
        }
        let link = Self::link_to(other, keeps_reason, is_linked);
        let heard = link.heard.clone();
        let gone = self.with_rare(|rare| rare.links.add(link));
        drop(gone);
        let ((), telling) = Telling::during(|| self.core.link(&heard));
        telling.fatal.map_or(Ok(()), Err)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever holds the lock is about to write what is here; then nothing is told, and everything is kept.
        let Some(more) = self.more.try_lock() else {
            return Ok(());
        };
        let Some(rare) = &more.rare else {
            return Ok(());
        };
        visit.call(rare.given.cancelled_at.as_ref().and_then(Option::as_ref))?;
        rare.links.traverse(visit)?;
        rare.listeners
            .as_ref()
            .map_or(Ok(()), |it| it.traverse(visit))
    }

    fn __clear__(&self) {
        let rare = self.more.lock().rare.take();
        if let Some(listeners) = rare.as_ref().and_then(|rare| rare.listeners.as_ref()) {
            listeners.clear();
        }
        drop(rare);
    }
}

impl Token {
    /// Whose cancel it was that ended this one as the parent: an operation's, or a token's that it is linked to.
    fn name_of_parent(&self, py: Python<'_>, why: &Cancellation) -> Option<String> {
        let mut through: Option<Py<Self>> = None;
        // A token that is linked in a circle has said all that it knows after one round.
        for _ in 0..LINKS_AT_MOST {
            let token = through.as_ref().map_or(self, |it| it.get());
            let (heard, parent) = {
                let more = token.more.lock();
                let rare = more.rare.as_ref()?;
                (rare.links.heard(py, why), rare.parent.clone())
            };
            match heard {
                Some(Heard::Named(name)) => {
                    return Some(format!("Linked token {name} was cancelled"));
                }
                Some(Heard::Through(next)) => drop(through.replace(next)),
                None => {
                    let parent: String = parent?.chars().take(8).collect();
                    return Some(format!("Parent operation {parent} cancelled"));
                }
            }
        }
        None
    }

    fn link_to(other: &Bound<'_, Self>, keeps_reason: bool, is_linked: bool) -> Link {
        let py = other.py();
        let token = other.get();
        let id = token.id(py);
        let (alive, has_links) =
            token.with_rare(|rare| (Arc::downgrade(&rare.alive), !rare.links.is_empty()));
        Link {
            heard: match keeps_reason {
                true => token.core.clone(),
                false => token.core.child_token(),
            },
            keeps_reason,
            name: id.to_string_lossy().chars().take(8).collect(),
            alive,
            through: (is_linked || has_links).then(|| other.clone().unbind()),
        }
    }
}

/// What a callback is taken back by. Letting go of it leaves the callback where it is.
#[pyclass(frozen, module = "hother.cancelable._core")]
#[derive(Debug)]
pub(crate) struct CallbackRegistration {
    listeners: Arc<Listeners>,
    /// `None` where it was called at once.
    number: Option<u64>,
}

#[pymethods]
impl CallbackRegistration {
    /// Takes the callback back, and says whether that was in time: after `True` it was not called and never will be.
    fn deregister(&self) -> bool {
        self.number
            .is_some_and(|number| self.listeners.remove(number))
    }
}

/// What the arguments of a cancel say.
fn said(reason: Option<&Bound<'_, PyAny>>, message: Option<String>) -> PyResult<Cancellation> {
    let Some(first) = reason else {
        return Ok(cancellation(Reason::Manual, message));
    };
    if reason::is_member(first)? {
        return Ok(cancellation(reason::from_python(first)?, message));
    }
    match first.cast::<PyString>() {
        Ok(text) if message.is_none() => Ok(cancellation(
            Reason::Manual,
            Some(text.to_string_lossy().into_owned()),
        )),
        Ok(_) => Ok(cancellation(reason::from_python(first)?, message)),
        Err(_) => Err(PyTypeError::new_err(format!(
            "reason must be a CancelationReason, or a message as a string, got {}",
            first.get_type().name()?
        ))),
    }
}

fn not_a_token(given: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "token must be a CancelationToken, got {}: of an operation it is its .token",
        given
            .get_type()
            .name()
            .map_or_else(|_| "another object".into(), |it| it.to_string())
    ))
}

fn cancellation(reason: Reason, message: Option<String>) -> Cancellation {
    let why = Cancellation::new(reason);
    match message {
        Some(message) => why.with_message(message),
        None => why,
    }
}

/// How many tokens are asked in turn for the name of who was cancelled first.
const LINKS_AT_MOST: usize = 64;
