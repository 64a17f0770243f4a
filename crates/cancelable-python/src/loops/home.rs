//! [`Home`]: where something lives, an asyncio loop or a trio run.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyWeakrefMethods, PyWeakrefReference};

use super::mailbox::{Mailbox, Postman};
use super::timers::Timers;
use crate::exit::Flight;
use crate::found::{Found, word};
use crate::{fork, log};

/// A loop, by a handle that does not keep it alive, and the letters that lie in wait for it.
#[pyclass(frozen, module = "hother.cancelable._core")]
#[derive(Clone, Debug)]
pub(crate) struct Home(Arc<Place>);

#[derive(Debug)]
struct Place {
    kind: Kind,
    /// An asyncio loop, or the token of a trio run.
    weak: Py<PyWeakrefReference>,
    /// The process in which it lives, by [`fork::generation`].
    generation: u32,
    mailbox: Mailbox,
    timers: Timers,
    /// Until when a shutdown spares what it has asked to stop here.
    spared_until: Mutex<Option<Instant>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Asyncio,
    Trio,
}

#[pymethods]
impl Home {
    /// The loop that runs on this thread, if any does.
    #[staticmethod]
    pub(crate) fn current(py: Python<'_>) -> PyResult<Option<Self>> {
        let Some((kind, running)) = running(py)? else {
            return Ok(None);
        };
        if let Some(home) = LAST.with_borrow(Option::clone)
            && home.is_of(py, &running)
        {
            return Ok(Some(home));
        }
        let home = Self(Arc::new(Place {
            kind,
            weak: PyWeakrefReference::new(&running)?.unbind(),
            generation: fork::generation(),
            mailbox: Mailbox::default(),
            timers: Timers::default(),
            spared_until: Mutex::default(),
        }));
        // What was there is dropped after the cell has been left.
        drop(LAST.replace(Some(home.clone())));
        Ok(Some(home))
    }

    /// Has `letter`, a callable without arguments, called on the loop's own thread, soon and after those that were posted
    /// before. Any thread may ask. `false` where the loop is closed, gone, or of another process: then it is never called.
    pub(crate) fn post(&self, py: Python<'_>, letter: Py<PyAny>) -> bool {
        if self.0.generation != fork::generation() {
            return false;
        }
        let Some(_flight) = Flight::begin() else {
            return false;
        };
        if self.0.mailbox.put(letter) {
            return self.call_postman(py);
        }
        // The postman has been called; but one that was called before the loop was closed never comes.
        let is_open = match self.0.kind {
            Kind::Asyncio => self
                .0
                .weak
                .bind(py)
                .upgrade()
                .is_some_and(|it| is_open(&it)),
            Kind::Trio => true,
        };
        is_open || self.give_up()
    }

    /// Has a shutdown spare for so many seconds what it asks to stop here, and whatever runs inside of that; `None`: no more.
    #[pyo3(signature = (seconds))]
    fn spare(&self, seconds: Option<f64>) {
        let length = seconds.map(|it| Duration::try_from_secs_f64(it).unwrap_or(Duration::MAX));
        // What is later than the clock can say is never over.
        let until = length.map(|it| {
            let now = Instant::now();
            now.checked_add(it).unwrap_or(now + FOR_EVER)
        });
        *self.0.spared_until.lock() = until;
    }

    /// Whether what runs now is a task of this loop: then what it does to other tasks of it needs no wake-up.
    ///
    /// A signal handler may run on the loop's thread while that waits for something to happen, and is not a task.
    pub(crate) fn is_here(&self, py: Python<'_>) -> bool {
        if IS_AFAR.get() {
            return false;
        }
        let Some(here) = self.0.weak.bind(py).upgrade() else {
            return false;
        };
        let is_task = match self.0.kind {
            Kind::Asyncio => is_in_task_of_asyncio(&here),
            Kind::Trio => is_in_task_of_trio(&here),
        };
        is_task.unwrap_or(false)
    }
}

impl Home {
    /// The task that runs on this thread, for which this is the loop.
    pub(crate) fn current_task(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let task = match self.0.kind {
            Kind::Asyncio => current_task_of_asyncio(py)?.call0()?,
            Kind::Trio => match trio(py)? {
                Some(trio) => trio.call_method0("current_task")?,
                None => py.None().into_bound(py),
            },
        };
        if task.is_none() {
            return Err(PyRuntimeError::new_err(
                "an operation runs in a task: enter it in a coroutine that a task of the loop runs",
            ));
        }
        Ok(task.unbind())
    }

    /// The task that runs on this thread, if one does.
    pub(crate) fn current_task_if_any(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.current_task(py).ok()
    }

    /// Whether this task is over.
    pub(crate) fn has_ended(&self, py: Python<'_>, task: &Py<PyAny>) -> bool {
        let task = task.bind(py);
        let has_ended = match self.0.kind {
            Kind::Asyncio => task.call_method0("done").and_then(|it| it.is_truthy()),
            Kind::Trio => task
                .getattr("coro")
                .and_then(|it| it.getattr("cr_frame"))
                .map(|it| it.is_none()),
        };
        has_ended.unwrap_or(false)
    }

    /// How many cancels of this task are under way, as asyncio counts them; trio has no such thing.
    pub(crate) fn cancels_of(&self, py: Python<'_>, task: &Py<PyAny>) -> PyResult<u32> {
        match self.0.kind {
            Kind::Asyncio => task.call_method0(py, word!(py, "cancelling"))?.extract(py),
            Kind::Trio => Ok(0),
        }
    }

    /// Has it called as soon as the task that runs has given way. On the thread of an asyncio loop.
    pub(crate) fn call_soon(&self, py: Python<'_>, called: Py<PyAny>) -> PyResult<()> {
        let how = PyDict::new(py);
        how.set_item("context", empty_context(py)?)?;
        self.here(py)?
            .call_method("call_soon", (called,), Some(&how))?;
        Ok(())
    }

    /// How much longer a shutdown spares what it has asked to stop here.
    pub(crate) fn seconds_spared(&self) -> f64 {
        let until = *self.0.spared_until.lock();
        let left = until.map(|it| it.saturating_duration_since(Instant::now()));
        left.unwrap_or_default().as_secs_f64()
    }

    /// Whether both are the same loop.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether nothing runs there any more. Of a trio run nobody can tell.
    pub(crate) fn is_closed(&self, py: Python<'_>) -> bool {
        match self.0.kind {
            Kind::Asyncio => self
                .0
                .weak
                .bind(py)
                .upgrade()
                .is_none_or(|it| !is_open(&it)),
            Kind::Trio => false,
        }
    }

    /// Whether it is an asyncio loop.
    pub(crate) fn is_asyncio(&self) -> bool {
        self.0.kind == Kind::Asyncio
    }

    /// The time by the loop's clock, in seconds.
    pub(crate) fn time(&self, py: Python<'_>) -> PyResult<f64> {
        let time = match self.0.kind {
            Kind::Asyncio => self.here(py)?.call_method0(word!(py, "time"))?,
            Kind::Trio => py.import("trio")?.call_method0("current_time")?,
        };
        time.extract()
    }

    /// Has the loop call `alarm` at this moment.
    pub(super) fn call_python_at(
        &self,
        py: Python<'_>,
        at: f64,
        alarm: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        match self.0.kind {
            Kind::Asyncio => {
                let how = PyDict::new(py);
                how.set_item("context", empty_context(py)?)?;
                self.here(py)?
                    .call_method("call_at", (at, alarm), Some(&how))?;
            }
            Kind::Trio => {
                py.import("hother.cancelable.core._trio")?
                    .call_method1("call_at", (at, alarm))?;
            }
        }
        Ok(())
    }

    pub(super) fn timers(&self) -> &Timers {
        &self.0.timers
    }

    fn here<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.weak.bind(py).upgrade().ok_or_else(|| {
            PyRuntimeError::new_err(
                "the event loop of this operation is gone; enter it in one that runs",
            )
        })
    }

    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.0.mailbox
    }

    /// Has the loop call a postman; `false` where it never will.
    pub(super) fn call_postman(&self, py: Python<'_>) -> bool {
        let Some(it) = self.0.weak.bind(py).upgrade() else {
            return self.give_up();
        };
        let Err(error) = self.try_call_postman(&it) else {
            return true;
        };
        match self.0.kind {
            Kind::Asyncio if is_open(&it) => {}
            Kind::Asyncio | Kind::Trio => return self.give_up(),
        }
        // Something else came in between, such as the handler of a signal that raised. Asking twice does no harm.
        let is_called = self.try_call_postman(&it).is_ok() || self.give_up();
        pass_on(py, &error);
        is_called
    }

    fn try_call_postman(&self, it: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = it.py();
        let postman = Bound::new(py, Postman { home: self.clone() })?;
        match self.0.kind {
            // A context of its own, so that the caller's is not kept for as long as the loop is busy.
            Kind::Asyncio => {
                let how = PyDict::new(py);
                how.set_item("context", empty_context(py)?)?;
                it.call_method("call_soon_threadsafe", (postman,), Some(&how))?;
            }
            Kind::Trio => {
                it.call_method1("run_sync_soon", (postman,))?;
            }
        }
        Ok(())
    }

    /// Drops the letters, outside the lock. Always `false`.
    fn give_up(&self) -> bool {
        drop(self.0.mailbox.empty());
        false
    }

    fn is_of(&self, py: Python<'_>, running: &Bound<'_, PyAny>) -> bool {
        let is_it = |it: Bound<'_, PyAny>| it.is(running);
        self.0.generation == fork::generation() && self.0.weak.bind(py).upgrade().is_some_and(is_it)
    }
}

/// Does this as another thread would: the loop of this one hears of a cancel by the mailbox, and not in the middle of whatever
/// it is at. For handlers of signals, which the interpreter runs between any two steps of a task.
pub(crate) fn from_afar<T>(then: impl FnOnce() -> T) -> T {
    let before = IS_AFAR.replace(true);
    let done = then();
    IS_AFAR.set(before);
    done
}

/// The loop that runs on this thread. In a trio run that is a guest of an asyncio loop, tasks are trio's.
fn running(py: Python<'_>) -> PyResult<Option<(Kind, Bound<'_, PyAny>)>> {
    if let Some(trio) = trio(py)?
        && let Ok(token) = trio.call_method0("current_trio_token")
    {
        return Ok(Some((Kind::Trio, token)));
    }
    let running = running_asyncio(py)?;
    Ok((!running.is_none()).then_some((Kind::Asyncio, running)))
}

fn running_asyncio(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static RUNNING: Found<Py<PyAny>> = Found::new();
    RUNNING.import(py, "asyncio", "_get_running_loop")?.call0()
}

fn current_task_of_asyncio(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static TASK: Found<Py<PyAny>> = Found::new();
    TASK.import(py, "asyncio", "current_task")
}

fn is_in_task_of_asyncio(asyncio_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = asyncio_loop.py();
    if !running_asyncio(py)?.is(asyncio_loop) {
        return Ok(false);
    }
    let current = current_task_of_asyncio(py)?;
    Ok(!current.call1((asyncio_loop,))?.is_none())
}

fn is_in_task_of_trio(token: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = token.py();
    let Some(trio) = trio(py)? else {
        return Ok(false);
    };
    Ok(trio.call_method0("current_trio_token")?.is(token)
        && trio.call_method0("current_task").is_ok())
}

/// `trio.lowlevel`, if the program has imported it.
fn trio(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    static MODULES: Found<Py<PyDict>> = Found::new();
    static NAME: Found<Py<PyString>> = Found::new();
    let modules = MODULES.import(py, "sys", "modules")?;
    let name = NAME.word(py, "trio.lowlevel");
    modules.get_item(name)
}

/// Has the main thread hear again of a Ctrl-C that came while it was busy with a cancel; anything else is logged.
fn pass_on(py: Python<'_>, error: &PyErr) {
    if error.is_instance_of::<PyKeyboardInterrupt>(py)
        && let Ok(thread) = py.import("_thread")
        && thread.call_method0("interrupt_main").is_ok()
    {
        return;
    }
    log::error(py, "waking a loop was interrupted", error);
}

fn is_open(asyncio_loop: &Bound<'_, PyAny>) -> bool {
    let is_closed = asyncio_loop
        .call_method0("is_closed")
        .and_then(|it| it.is_truthy());
    matches!(is_closed, Ok(false))
}

fn empty_context(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static CONTEXT: Found<Py<PyAny>> = Found::new();
    CONTEXT.import(py, "contextvars", "Context")?.call0()
}

/// A hundred years.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

thread_local! {
    /// The home that was asked for last: a thread seldom runs more than one loop.
    static LAST: RefCell<Option<Home>> = const { RefCell::new(None) };
    /// Whether what runs on this thread is no part of its loop.
    static IS_AFAR: Cell<bool> = const { Cell::new(false) };
}
