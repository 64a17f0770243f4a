//! `Operation`, the native half of `Cancelable`: how it may end, and what is kept of it while it runs.
//!
//! # Life
//!
//! It is made, told how it may end, entered, and left; after that it may be entered again, with a fresh record. Between
//! entering and leaving it has a [`Running`]: a delivery that waits at its stop token, and a timer for its limit.
//!
//! # Invariants
//!
//! 1. **`running` is there from entering to leaving**, and taken out by whoever leaves, in the task that entered. `is_entered`
//!    holds from before that, so that nobody enters meanwhile, to the end of the last thread that was left behind.
//! 2. **No Python code runs under the lock**: what is needed is cloned, what is replaced is dropped after.

mod context;
mod delivery;
mod ends;
mod listing;
mod native;
mod record;
mod run;
mod status;
pub(crate) mod told;
mod why;

use std::sync::Arc;
use std::task::Wake;

use cancelable_core::CancellationToken;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

pub(crate) use context::Context;
pub(crate) use delivery::Delivery;
use delivery::Scope;
use native::Native;
pub(crate) use record::{Moment, Record};
use run::Running;
pub(crate) use status::Status;
pub(crate) use why::Why;

use crate::loops;
use crate::registry::{Entry, Registry};
use crate::text::Text;
use crate::token::{self, Links, Token};

/// See the module's documentation.
#[pyclass(frozen, subclass, weakref, module = "hother.cancelable._core")]
pub(crate) struct Operation {
    state: Mutex<State>,
}

/// What the lock guards.
#[derive(Default)]
struct State {
    record: Arc<Record>,
    /// The token that programs see: made on first need, or given.
    face: Option<Py<Token>>,
    /// Whether the face was given: then it lives on its own, and the stop token is linked to it.
    has_given_face: bool,
    /// Whether the stop token was cancelled by what ended a run, and not by anybody who called `cancel`.
    ended_by_itself: bool,
    /// The least of the timeouts that it was given, in seconds.
    timeout: Option<f64>,
    grace: Option<f64>,
    is_detached: bool,
    /// Whether it is a part of its parent, which that does not cancel, or a call that another thread makes for it.
    is_section: bool,
    is_entered: bool,
    parent: Option<Py<Operation>>,
    /// Tokens that cancel it, with their own reason.
    links: Vec<CancellationToken>,
    running: Option<Box<Running>>,
    /// While it is listed in a registry.
    entry: Option<Arc<Entry>>,
}

impl State {
    /// What it is cancelled with, or will be.
    fn above(&self, py: Python<'_>) -> Option<Py<Operation>> {
        let given = self.parent.as_ref();
        let found = self.running.as_ref().and_then(|it| it.parent.as_ref());
        given.or(found).map(|parent| parent.clone_ref(py))
    }
}

/// What a program says of an operation.
#[pymethods]
impl Operation {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            state: Mutex::default(),
        }
    }

    /// Notes what the program said of it, before anything else is asked of it.
    #[pyo3(signature = (operation_id, name, metadata, attempt))]
    fn _describe(
        &self,
        operation_id: Option<String>,
        name: Option<Text>,
        metadata: Option<Py<PyDict>>,
        attempt: Option<u32>,
    ) {
        let record = operation_id.map_or_else(Record::default, Record::with_id);
        {
            let mut fields = record.fields();
            if name.is_some() || metadata.is_some() || attempt.is_some() {
                let more = fields.more();
                more.name = name.map(String::from);
                more.metadata = metadata;
                more.attempt = attempt;
            }
            // As programs see it before it starts: when it was made.
            fields.start();
        }
        let before = std::mem::replace(&mut self.state.lock().record, Arc::new(record));
        drop(before);
    }

    /// Says what encloses it, in place of what it is entered in.
    fn _set_parent(&self, parent: &Bound<'_, Self>) {
        let id = parent.get().record().id().to_owned();
        let record = self.record();
        record.fields().more().parent_id = Some(id);
        let parent = parent.clone().unbind();
        let before = self.state.lock().parent.replace(parent);
        drop(before);
    }

    /// Has it be a section of its parent, with the status `SHIELDED`.
    fn _set_section(&self) {
        self.state.lock().is_section = true;
    }

    #[getter]
    fn _is_section(&self) -> bool {
        self.state.lock().is_section
    }

    fn _set_detached(&self) {
        self.state.lock().is_detached = true;
    }

    /// How long the body may go on after an ask, in seconds.
    #[setter(_grace)]
    fn set_grace(&self, seconds: f64) {
        self.state.lock().grace = Some(seconds);
    }

    #[getter(_grace)]
    fn grace(&self) -> Option<f64> {
        self.state.lock().grace
    }

    /// A time limit from the start, or from now where it runs; of several the least counts.
    fn _limit(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let running = {
            let mut state = self.state.lock();
            let running = state.running.as_ref().map(|it| Arc::clone(&it.delivery));
            if running.is_none() {
                state.timeout = Some(state.timeout.map_or(seconds, |own| own.min(seconds)));
            }
            running
        };
        match running {
            Some(delivery) => self.arm(py, &delivery, seconds),
            None => Ok(()),
        }
    }

    /// Has its token be this one, and no other.
    fn _set_token(&self, token: &Bound<'_, Token>) {
        let face = token.clone().unbind();
        let mut state = self.state.lock();
        let before = state.face.replace(face);
        state.has_given_face = true;
        state.links.push(token.get().core().clone());
        drop(state);
        drop(before);
    }

    /// Has it be cancelled when `other` is, by its token or where it runs, and by when its time would be up.
    fn _combine(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        let (timeout, mut links, stop) = {
            let theirs = other.get().state.lock();
            let stop = theirs.record.stop().clone();
            (theirs.timeout, theirs.links.clone(), stop)
        };
        links.push(stop);
        if let Some(timeout) = timeout {
            self._limit(py, timeout)?;
        }
        let mut state = self.state.lock();
        if state.running.is_none() {
            state.links.extend(links);
            return Ok(());
        }
        drop(state);
        links.iter().for_each(|link| self.end_run_with(link));
        Ok(())
    }

    /// The token that cancels it, and tells those outside that it was cancelled.
    #[getter]
    fn token(&self, py: Python<'_>) -> PyResult<Py<Token>> {
        let (record, parent) = {
            let state = self.state.lock();
            if let Some(face) = &state.face {
                return Ok(face.clone_ref(py));
            }
            (Arc::clone(&state.record), state.above(py))
        };
        let parent = parent.map(|parent| parent.get().record().id().to_owned());
        let made = token::linked_around(py, record.stop(), Links::default(), parent)?;
        let mut state = self.state.lock();
        let face = state.face.get_or_insert_with(|| made.clone_ref(py));
        Ok(face.clone_ref(py))
    }

    /// The token that programs see, if anybody asked for it.
    fn _face(&self, py: Python<'_>) -> Option<Py<Token>> {
        let state = self.state.lock();
        state.face.as_ref().map(|face| face.clone_ref(py))
    }

    /// What encloses it, if the program said so.
    #[getter]
    fn parent(&self, py: Python<'_>) -> Option<Py<Self>> {
        let state = self.state.lock();
        state.parent.as_ref().map(|parent| parent.clone_ref(py))
    }

    /// Its id, which is unique unless the program gave it.
    #[getter]
    fn operation_id(&self) -> String {
        self.record().id().to_owned()
    }

    /// Its name, if it has one.
    fn _name(&self) -> Option<String> {
        let record = self.record();
        let fields = record.fields();
        fields.more_if_any().and_then(|more| more.name.clone())
    }

    /// What there is to know about it.
    #[getter]
    fn context(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Context::around(py, self.record())
    }

    /// Whether it ended cancelled.
    #[getter]
    fn is_cancelled(&self) -> bool {
        matches!(self.record().status(), Status::Cancelled | Status::Timeout)
    }

    /// Whether it is at work, asked to stop or not.
    #[getter]
    fn is_running(&self) -> bool {
        matches!(self.record().status(), Status::Running | Status::Cancelling)
    }

    /// Whether it ended by itself.
    #[getter]
    fn is_completed(&self) -> bool {
        self.record().status() == Status::Completed
    }

    /// When its time is up, or that of what it is cancelled with, by its loop's clock; `None` where there is no limit, or it does
    /// not run.
    #[getter]
    fn deadline(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.ends_at(py)?.map(|(_, at)| at))
    }

    /// How many seconds are left until then, not less than zero.
    fn remaining(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        self.ends_at(py)?
            .map(|(home, deadline)| Ok((deadline - home.time(py)?).max(0.0)))
            .transpose()
    }

    /// Asks it to stop; `False` if it was asked before.
    fn _cancel(&self, why: &Bound<'_, Why>, with_children: bool) -> bool {
        let why = why.get().0.clone();
        let (record, face, delivery) = {
            let state = self.state.lock();
            let given = state.face.as_ref().filter(|_| state.has_given_face);
            let face = given.map(|face| face.get().core().clone());
            let delivery = state.running.as_ref().map(|it| Arc::clone(&it.delivery));
            (Arc::clone(&state.record), face, delivery)
        };
        if record.fields().status.is_terminal() {
            return false;
        }
        if with_children {
            return face.as_ref().unwrap_or(record.stop()).cancel_with(why);
        }
        let is_first = record.ask_alone(why);
        if let Some(delivery) = delivery.filter(|_| is_first) {
            delivery.wake();
        }
        if let Some(entry) = self.entry().filter(|_| is_first) {
            entry.asked();
        }
        is_first
    }

    /// Ends its run, since one of its sources fired; `False` if it was asked before. With `from_afar` its body hears of that
    /// from the loop, also where that is this thread's: for handlers of signals.
    #[pyo3(signature = (why, from_afar=false))]
    fn _fire(&self, why: &Bound<'_, Why>, from_afar: bool) -> bool {
        let (record, why) = (self.record(), why.get().0.clone());
        let fire = || record.stop().cancel_with(why);
        let is_first = if from_afar {
            loops::from_afar(fire)
        } else {
            fire()
        };
        if is_first {
            self.state.lock().ended_by_itself = true;
        }
        is_first
    }

    /// Has its run end when `token` is cancelled, with the reason of that.
    fn _link(&self, token: &Bound<'_, Token>) {
        self.end_run_with(token.get().core());
    }

    /// Has it be asked to stop when `other` is, with the reason of that: its run, or the one to come.
    fn _follow(&self, other: &Bound<'_, Self>) {
        let theirs = other.get().record();
        if self.state.lock().running.is_some() {
            self.end_run_with(theirs.stop());
        } else {
            self.record().stop().link(theirs.stop());
        }
    }

    /// Notes when its sources end it at the latest, by its loop's clock, as far as they know.
    fn _foresee(&self, at: Option<f64>) {
        if let Some(running) = &mut self.state.lock().running {
            running.foreseen = at;
        }
    }

    /// Whether it was asked to stop.
    fn _is_asked(&self) -> bool {
        self.record().is_asked()
    }

    /// Why it was asked to stop; `None` if it was not.
    fn _asked(&self, py: Python<'_>) -> Option<Why> {
        self.asked(py).map(Why)
    }
    /// Starts a run whose body is in `scope`, or in none, inside of `enclosing`, if that runs, listed in `registry`. To be called
    /// in the body's task, or that of its first step, where it `is_stepwise`.
    #[pyo3(signature = (scope, enclosing, registry=None, is_stepwise=false))]
    fn _enter(
        slf: &Bound<'_, Self>,
        scope: Option<Py<PyAny>>,
        enclosing: Option<&Bound<'_, Self>>,
        registry: Option<&Bound<'_, Registry>>,
        is_stepwise: bool,
    ) -> PyResult<()> {
        Self::enter(slf, scope, enclosing, registry, is_stepwise)
    }

    /// Tells the registry that it is listed in how far it has come.
    fn _progressed(&self, message: &Bound<'_, PyAny>, metadata: Option<&Bound<'_, PyAny>>) {
        if let Some(entry) = self.entry() {
            entry.progressed(message, metadata);
        }
    }

    /// Starts a call that another thread makes for `parent`.
    fn _begin_call(&self, parent: &Bound<'_, Self>) {
        self.begin_call(parent);
    }

    /// The operation, if it is at work; in the place of a section, whatever that is a section of.
    fn _current(slf: &Bound<'_, Self>, py: Python<'_>) -> Option<Py<Self>> {
        let mut operation = Self::at_work(slf.clone().unbind(), py)?;
        loop {
            let around = {
                let state = operation.get().state.lock();
                let around = state.parent.as_ref().filter(|_| state.is_section);
                around.map(|it| it.clone_ref(py))
            };
            match around {
                Some(around) => operation = around,
                None => return Some(operation),
            }
        }
    }

    /// What it is cancelled with, while it runs.
    fn _above(&self, py: Python<'_>) -> Option<Py<Self>> {
        self.state.lock().above(py)
    }

    /// Notes that the body is over: 0 where nothing was entered, 1 where it is left quietly, 2 where its task was cancelled,
    /// 3 where this is another task, 4 where so and the one that entered is over.
    fn _leave(&self, py: Python<'_>) -> PyResult<u8> {
        self.leave(py).map(|how| how as u8)
    }

    /// What errors call it.
    fn _called(&self) -> String {
        self.shown()
    }

    /// Has the scope of a task that works for it be cancelled with its own. `False` where it does not run.
    fn _join(&self, py: Python<'_>, scope: Py<PyAny>) -> PyResult<bool> {
        match self.delivery() {
            Some(delivery) => delivery.join(py, scope).map(|()| true),
            None => Ok(false),
        }
    }

    /// Forgets the scope of a task that has ended.
    fn _part(&self, scope: &Bound<'_, PyAny>) {
        if let Some(delivery) = self.delivery() {
            delivery.part(scope);
        }
    }

    /// Begins a section that a scope of ours does not cancel. `False` where this task is in none of this operation's.
    fn _shield_native(&self, py: Python<'_>) -> bool {
        let is_shielded = self.with_native(|native, delivery| {
            let task = delivery.home.current_task_if_any(py);
            let is_its = task.is_some_and(|task| task.is(&delivery.task));
            if is_its {
                native.shield();
            }
            is_its
        });
        is_shielded.unwrap_or_default()
    }

    /// Ends it; whether a cancel is to be delivered by the caller, right now.
    fn _unshield_native(&self) -> bool {
        let is_due = self.with_native(|native, _| native.unshield());
        is_due.unwrap_or_default()
    }

    /// Has a cancel that was not delivered be so as soon as the task gives way.
    fn _deliver_native(&self, py: Python<'_>) -> PyResult<()> {
        let message = self.asked(py).as_ref().and_then(told::message);
        let delivered = self.with_native(|native, it| native.cancel(py, it, message));
        delivered.unwrap_or(Ok(()))
    }

    /// Whether a scope of ours has cancelled nothing.
    fn _is_native_quiet(&self) -> bool {
        self.with_native(|native, _| native.is_quiet())
            .unwrap_or(true)
    }

    /// Whether what runs now is a task of its loop.
    fn _is_here(&self, py: Python<'_>) -> bool {
        self.delivery().is_some_and(|it| it.home.is_here(py))
    }

    /// Takes back what a scope of ours did to its task. The body is over.
    fn _leave_native(&self, py: Python<'_>) -> PyResult<()> {
        let left = self.with_native(|native, delivery| native.leave(py, &delivery.task));
        left.unwrap_or(Ok(()))
    }

    /// Whether somebody else has cancelled the task meanwhile.
    fn _has_foreign_cancel(&self, py: Python<'_>) -> PyResult<bool> {
        let delivery = self.delivery();
        delivery.map_or(Ok(false), |it| it.has_foreign_cancel(py))
    }

    /// Whether it was asked by what encloses it, which cancels the body itself.
    fn _is_asked_from_around(&self) -> bool {
        let delivery = self.delivery();
        delivery.is_some_and(|it| {
            it.is_enclosed && it.record.asked().as_ref().is_some_and(told::is_by_parent)
        })
    }

    /// How many seconds ago it was asked to stop; zero where it was not.
    fn _seconds_since_ask(&self) -> f64 {
        self.delivery().map_or(0.0, |it| it.seconds_since_ask())
    }

    /// Lets go of the loop and the token, and leaves the end to a thread that is still at work.
    fn _leave_behind(&self) {
        self.leave_behind();
    }

    /// Ends a section, whose status says no more than that it was one.
    fn _end_section(&self, py: Python<'_>) {
        self.end(py, Status::Shielded, None);
    }

    /// Ends the run with a value where nothing else is to be seen to; `False` where something is.
    fn _complete_quietly(&self, py: Python<'_>) -> PyResult<bool> {
        let is_quiet = self.leave(py)? == run::Leaving::Quietly;
        if is_quiet {
            self.end(py, Status::Completed, None);
        }
        Ok(is_quiet)
    }

    /// Ends the run with a value.
    fn _complete(&self, py: Python<'_>) {
        self.end(py, Status::Completed, None);
    }

    /// Ends the run cancelled, for what it was asked for first, or else for `otherwise`.
    fn _end_cancelled(&self, py: Python<'_>, otherwise: Option<&Bound<'_, Why>>) {
        if let Some(why) = otherwise {
            // Whoever still works for it is to hear of that.
            self.record().stop().cancel_with(why.get().0.clone());
        }
        self.end(py, Status::Cancelled, None);
    }

    /// Ends the run with an error.
    fn _end_failed(&self, py: Python<'_>, error: Text) {
        self.end(py, Status::Failed, Some(error.0));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever holds the lock is about to write what is here; then nothing is told, and everything is kept.
        let Some(state) = self.state.try_lock() else {
            return Ok(());
        };
        visit.call(&state.face)?;
        visit.call(&state.parent)?;
        if let Some(running) = &state.running {
            let has_face = state.face.is_some();
            let is_shown = Arc::strong_count(&state.record) > 2;
            let is_below = running.parent.is_some() || !state.links.is_empty();
            // A listed one may be cancelled by whoever knows its id; its entry holds the record as well.
            running.traverse(visit, has_face || is_shown || is_below)?;
        }
        // A record may be shown by contexts as well, and then it is not this operation alone that keeps what it holds. Its entry
        // is its own.
        match Arc::strong_count(&state.record) - usize::from(state.entry.is_some()) {
            1 => state.record.traverse(visit),
            _ => Ok(()),
        }
    }

    /// A cancel reaches it no more.
    fn __clear__(&self) {
        let state = std::mem::take(&mut *self.state.lock());
        drop(state);
    }
}

impl Operation {
    fn with_native<T>(&self, then: impl FnOnce(&Native, &Arc<Delivery>) -> T) -> Option<T> {
        let delivery = self.delivery()?;
        match &delivery.scope {
            Scope::Native(native) => Some(then(native, &delivery)),
            Scope::Given(_) => None,
        }
    }
}
