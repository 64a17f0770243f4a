//! What the Python half calls, a line each: the work is in the rooms beside.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::run::Leaving;
use super::{Context, Operation, Status, Why, told};
use crate::registry::Registry;
use crate::text::Text;
use crate::token::Token;

/// What a program says of an operation.
#[pymethods]
impl Operation {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self::made()
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
        self.describe(operation_id, name, metadata, attempt);
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

    /// How long the body may go on after an ask, in seconds: one for this reason, where one is said. It may run already.
    #[pyo3(signature = (seconds, reason=None))]
    fn _set_grace(&self, seconds: f64, reason: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        self.set_grace(seconds, reason)
    }

    /// How long its body may go on after an ask for this reason; without one, after the ask that came.
    #[pyo3(signature = (reason=None))]
    fn _grace_after(&self, reason: Option<&Bound<'_, PyAny>>) -> PyResult<Option<f64>> {
        self.grace_after(reason)
    }

    /// A time limit of an operation that was just made, which is named after it where it `is_named_after_it`: `False` where that is
    /// no plain number of seconds, and nothing was done.
    fn _limit_plainly(&self, given: &Bound<'_, PyAny>, is_named_after_it: bool) -> bool {
        self.limit_plainly(given, is_named_after_it)
    }

    /// A time limit from the start, or from now where it runs; of several the least counts.
    fn _limit(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        self.limit(py, seconds)
    }

    /// Has its token be this one, and no other.
    fn _set_token(&self, token: &Bound<'_, Token>) {
        self.set_token(token);
    }

    /// Has it be cancelled when `other` is, by its token or where it runs, and by when its time would be up.
    fn _combine(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        self.combine(py, other)
    }

    /// The token that cancels it, and tells those outside that it was cancelled.
    #[getter]
    fn token(&self, py: Python<'_>) -> PyResult<Py<Token>> {
        self.seen_token(py)
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
        self.record().fields().name.text()
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
        self.cancel(why, with_children)
    }

    /// Ends its run, since one of its sources fired; `False` if it was asked before. With `from_afar` its body hears of that
    /// from the loop, also where that is this thread's: for handlers of signals.
    #[pyo3(signature = (why, from_afar=false))]
    fn _fire(&self, why: &Bound<'_, Why>, from_afar: bool) -> bool {
        self.fire(why, from_afar)
    }

    /// Has its run end when `token` is cancelled, with the reason of that.
    fn _link(&self, token: &Bound<'_, Token>) {
        self.end_run_with(token.get().core());
    }

    /// Has it be asked to stop when `other` is, with the reason of that: its run, or the one to come.
    fn _follow(&self, other: &Bound<'_, Self>) {
        self.follow(other);
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
        Self::current(slf, py)
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
        let is_quiet = self.leave(py)? == Leaving::Quietly;
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
            // Whoever still works for it is to hear of that, and another run is not.
            self.fire(why, false);
        }
        self.end(py, Status::Cancelled, None);
    }

    /// Ends the run with an error.
    fn _end_failed(&self, py: Python<'_>, error: Text) {
        self.end(py, Status::Failed, Some(error.0));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.traverse(visit)
    }

    /// A cancel reaches it no more.
    fn __clear__(&self) {
        let state = std::mem::take(&mut *self.state.lock());
        drop(state);
    }
}
