//! What Python may ask of a token.

use std::time::{Duration, Instant, SystemTime};

use cancelable_core::{CancellationToken, Reason};
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::listeners::{Kind, Telling};
use super::said::{not_a_token, said};
use super::{Around, CallbackRegistration, Token};
use crate::found::word;
use crate::operation::Why;
use crate::reason;
use crate::text::Text;

#[pymethods]
impl Token {
    /// Takes anything: the fields are for `__init__`, as they are with a model.
    #[new]
    #[pyo3(signature = (*args, **_data), text_signature = "(**data)")]
    fn new(args: &Bound<'_, PyTuple>, _data: Option<&Bound<'_, PyDict>>) -> Self {
        let around = args.iter().next();
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
        if data.is_some() || !slf.getattr(word!(py, "_own_fields"))?.is_none() {
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
    pub(super) fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        if let Some(id) = &self.more.lock().id {
            return id.bind(py).clone();
        }
        let mut text = uuid::Uuid::encode_buffer();
        let made = PyString::new(py, crate::ids::fresh().hyphenated().encode_lower(&mut text));
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
    fn set_message(&self, message: Option<Text>) {
        self.give(|given| given.message.replace(message.map(String::from)));
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
        message: Option<Text>,
    ) -> PyResult<bool> {
        Ok(self
            .cancel_with(said(reason, message.map(String::from))?)?
            .0)
    }

    /// The same, for a reason that is there already, with all that it says.
    fn _cancel_with(&self, why: &Bound<'_, Why>) -> PyResult<bool> {
        Ok(self.cancel_with(why.get().0.clone())?.0)
    }

    /// The same, and what the loop of this thread has begun to await for callbacks.
    #[pyo3(signature = (reason = None, message = None))]
    fn _cancel(
        &self,
        reason: Option<&Bound<'_, PyAny>>,
        message: Option<Text>,
    ) -> PyResult<(bool, Option<Vec<Py<PyAny>>>)> {
        let (is_first, started) = self.cancel_with(said(reason, message.map(String::from))?)?;
        Ok((is_first, (!started.is_empty()).then_some(started)))
    }

    /// Has `wake` called on this thread's loop when the token is cancelled; at once if it is already.
    fn _wait(slf: &Bound<'_, Self>, wake: Py<PyAny>) -> PyResult<CallbackRegistration> {
        Self::listen(slf, Kind::Waiter, wake)
    }

    /// Has this thread sleep until the token is cancelled, for so many seconds at most; whether it is. Where `hears_signals`,
    /// handlers of signals run meanwhile.
    fn _sleep(&self, py: Python<'_>, seconds: Option<f64>, hears_signals: bool) -> PyResult<bool> {
        let end = seconds.map(|seconds| {
            let length = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
            (Instant::now(), length)
        });
        loop {
            let left = end.map(|(start, length)| length.saturating_sub(start.elapsed()));
            let turn = if hears_signals {
                Some(left.map_or(BETWEEN_SIGNALS, |left| left.min(BETWEEN_SIGNALS)))
            } else {
                left
            };
            let is_cancelled = py.detach(|| match turn {
                Some(turn) => self.core.blocking_cancelled_timeout(turn).is_some(),
                None => {
                    self.core.blocking_cancelled();
                    true
                }
            });
            py.check_signals()?;
            if is_cancelled || turn == left {
                return Ok(is_cancelled);
            }
        }
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

/// How long a thread that is to hear of signals sleeps at a time: the interpreter's handlers run in between.
const BETWEEN_SIGNALS: Duration = Duration::from_millis(50);
