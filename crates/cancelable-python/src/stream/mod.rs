//! `Stream`, the items of an async iterator as an operation takes them: counted, kept, reported, and over with it.
//!
//! # A step
//!
//! A stream is its own awaitable, so that an item costs no object: `__anext__` gives the stream, which is then driven as the
//! source's awaitable would be. What the source gives passes through as it is.
//!
//! | the step is | what there is | `__next__` |
//! |---|---|---|
//! | none | nothing | an error: nothing was asked for |
//! | asked for | `is_asked_for` | asks the source, and begins |
//! | under way | `step`, while it is not driven; `is_driven` | goes on |
//! | in its rest | the same with a coroutine that reports, or closes the source | goes on with that, then gives the item, or the error |
//!
//! The source is asked as late as that, so a step that is never awaited takes nothing, and holds nothing up.
//!
//! # Invariants
//!
//! 1. **What is counted was given by the source**, and is delivered unless the report of it is cancelled.
//! 2. **No Python code runs under the lock.**

mod interval;
mod kept;
mod step;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::Mutex;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyStopIteration};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use self::interval::interval;
use self::kept::Kept;
use self::step::{Step, driver_of, error_of, is_async_generator, next, stop_iteration};
use crate::found::word;
use crate::operation::{Operation, Record};

/// See the module's documentation.
#[pyclass(frozen, weakref, module = "hother.cancelable._core")]
pub(crate) struct Stream {
    operation: Py<Operation>,
    record: Arc<Record>,
    source: Py<PyAny>,
    /// The source's `__anext__`, bound to it: a call without arguments, and without a look-up, costs least.
    anext: Py<PyAny>,
    is_generator: bool,
    /// Whether the source is to be closed once it has failed: an async generator is closed by that.
    closes_source: bool,
    keeps: bool,
    /// The streams of the operation that are open: this one is among them until it is over.
    open: Py<PySet>,
    /// A report for every so many items; never, where it is zero.
    every: u64,
    count: AtomicU64,
    /// `__anext__` was called, and what it gave not awaited yet.
    is_asked_for: AtomicBool,
    /// Whether the next step asks the source in a way of its own.
    has_way: AtomicBool,
    /// From when a step is first driven until it has given what it has.
    is_driven: AtomicBool,
    state: Mutex<State>,
}

/// What the lock guards. An item that is there at once touches it only to be kept.
#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// The step that waits.
    step: Option<Step>,
    /// What the next step calls in place of the source's `__anext__`.
    way: Option<Py<PyAny>>,
    is_over: bool,
}

#[pymethods]
impl Stream {
    /// The items of `source`, an async iterator, for `operation`; the newest `keep` of them are kept.
    #[new]
    #[pyo3(signature = (operation, source, open, every = None, keep = 0))]
    fn new(
        operation: &Bound<'_, Operation>,
        source: Bound<'_, PyAny>,
        open: Py<PySet>,
        every: Option<Bound<'_, PyAny>>,
        keep: usize,
    ) -> PyResult<Self> {
        let every = every.map_or(Ok(0), |every| interval(&every))?;
        let is_generator = is_async_generator(&source)?;
        Ok(Self {
            record: operation.get().record(),
            operation: operation.clone().unbind(),
            closes_source: !is_generator && source.hasattr("aclose")?,
            is_generator,
            keeps: keep > 0,
            anext: source.getattr(word!(source.py(), "__anext__"))?.unbind(),
            source: source.unbind(),
            open,
            every,
            count: AtomicU64::new(0),
            is_asked_for: AtomicBool::new(false),
            has_way: AtomicBool::new(false),
            is_driven: AtomicBool::new(false),
            state: Mutex::new(State {
                kept: (keep > 0).then(|| Kept::newest(keep)),
                ..State::default()
            }),
        })
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let this = slf.get();
        if this.is_driven.load(Relaxed) {
            return Err(PyRuntimeError::new_err(
                "the stream is asked for an item while another waits for one: give each its own stream",
            ));
        }
        this.is_asked_for.store(true, Relaxed);
        Ok(slf)
    }

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        Self::drive(slf, |awaited| next(py)?.call1((awaited,)))
    }

    fn send(slf: &Bound<'_, Self>, value: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        if value.is_none() {
            return Self::__next__(slf);
        }
        Self::drive(slf, |awaited| {
            awaited.call_method1(word!(py, "send"), (value,))
        })
    }

    #[pyo3(signature = (*raised))]
    fn throw(slf: &Bound<'_, Self>, raised: Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        Self::drive(slf, |awaited| {
            match awaited.getattr_opt(word!(py, "throw"))? {
                Some(throw) => throw.call1(raised),
                // A plain iterator hears of nothing, and the error is raised where it is awaited.
                None => Err(error_of(&raised)?),
            }
        })
    }

    /// Gives up the step that is under way.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let step = this.state.lock().step.take();
        this.is_driven.store(false, Relaxed);
        let Some(step) = step else {
            return Ok(());
        };
        match step.awaited.bind(py).getattr_opt(word!(py, "close"))? {
            Some(close) => close.call0().map(drop),
            None => Ok(()),
        }
    }

    /// What closes the source, when awaited, and leaves what came with the operation.
    fn aclose<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let helpers = py.import(word!(py, "hother.cancelable.core.streams"))?;
        helpers.getattr("stop")?.call1((slf,))
    }

    /// How many items it has delivered.
    #[getter]
    fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// What it takes its items from.
    #[getter]
    fn source(&self, py: Python<'_>) -> Py<PyAny> {
        self.source.clone_ref(py)
    }

    /// The operation that it belongs to.
    #[getter]
    fn operation(&self, py: Python<'_>) -> Py<Operation> {
        self.operation.clone_ref(py)
    }

    /// Has the next step call `way` for its item, and not the source's `__anext__`: such as a generator's `asend`, with a value.
    fn _ask_by(&self, way: Py<PyAny>) {
        let before = self.state.lock().way.replace(way);
        self.has_way.store(true, Relaxed);
        drop(before);
    }

    /// Notes that nothing more comes, and leaves what came with the operation; `False` where that was noted before.
    fn _over(slf: &Bound<'_, Self>, is_complete: bool) -> PyResult<bool> {
        let py = slf.py();
        let this = slf.get();
        let (count, kept) = {
            let mut state = this.state.lock();
            if std::mem::replace(&mut state.is_over, true) {
                return Ok(false);
            }
            (this.count.load(Relaxed), state.kept.take())
        };
        let result = PyDict::new(py);
        result.set_item("count", count)?;
        result.set_item("buffer", kept.map(|kept| kept.into_list(py)).transpose()?)?;
        result.set_item("completed", is_complete)?;
        this.record.set_partial_result(result.into_any().unbind());
        this.open.bind(py).discard(slf)?;
        Ok(true)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.operation)?;
        visit.call(&self.source)?;
        visit.call(&self.anext)?;
        visit.call(&self.open)?;
        let Some(state) = self.state.try_lock() else {
            return Ok(());
        };
        if let Some(kept) = &state.kept {
            kept.traverse(visit)?;
        }
        visit.call(&state.way)?;
        match &state.step {
            Some(step) => {
                visit.call(&step.awaited)?;
                visit.call(&step.item)
            }
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let state = std::mem::take(&mut *self.state.lock());
        drop(state);
    }
}

impl Stream {
    /// Begins a step: the source is asked for an item, unless the operation was asked to stop.
    fn begin(slf: &Bound<'_, Self>) -> PyResult<Step> {
        let py = slf.py();
        let this = slf.get();
        // A loop in a shielded section runs to its end.
        if this.record.is_asked() && !helper(py, "is_to_go_on")?.call1((slf,))?.is_truthy()? {
            let stopping = this.call(py, "stopping", (slf,))?;
            return Ok(Step::rest(stopping, None));
        }
        let next = if this.has_way.load(Relaxed) {
            this.has_way.store(false, Relaxed);
            this.way(py)?
        } else {
            this.anext.bind(py).call0()?
        };
        // What an async generator gives is driven as it is.
        let awaited = if this.is_generator {
            next
        } else {
            driver_of(next)?
        };
        Ok(Step::of_source(awaited.unbind()))
    }

    /// Asks in the way that was given.
    fn way<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let way = self.state.lock().way.take();
        let way = way.unwrap_or_else(|| self.anext.clone_ref(py));
        way.into_bound(py).call0()
    }

    /// Goes on with the step that is under way: `go_on` drives what is awaited.
    fn drive<'py>(
        slf: &Bound<'py, Self>,
        go_on: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let this = slf.get();
        // Loads and stores, and no more: a stream has one consumer, and nothing hangs on the order of these.
        let step = if this.is_asked_for.load(Relaxed) {
            this.is_asked_for.store(false, Relaxed);
            this.is_driven.store(true, Relaxed);
            match Self::begin(slf) {
                Ok(step) => step,
                Err(error) => return Self::ended(slf, error),
            }
        } else {
            let waiting = this.state.lock().step.take();
            waiting.ok_or_else(|| {
                PyRuntimeError::new_err(
                    "nothing was asked of the stream: await what its __anext__ gives, once",
                )
            })?
        };
        match go_on(step.awaited.bind(py)) {
            Ok(waited_for) => {
                let before = this.state.lock().step.replace(step);
                drop(before);
                Ok(waited_for.unbind())
            }
            Err(error) if step.is_rest => Err(this.after_rest(py, step, error)),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => Self::took(slf, error),
            Err(error) => Self::ended(slf, error),
        }
    }

    /// An item came, in a `StopIteration`, as what is awaited gives what it has.
    fn took(slf: &Bound<'_, Self>, given: PyErr) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let item = match this.keeps {
            true => Some(given.value(py).getattr(word!(py, "value"))?),
            false => None,
        };
        this.is_driven.store(false, Relaxed);
        let count = this.count.load(Relaxed) + 1;
        this.count.store(count, Relaxed);
        let oldest = item.and_then(|item| {
            let mut state = this.state.lock();
            let kept = state.kept.as_mut();
            kept.and_then(|kept| kept.push(item.unbind()))
        });
        drop(oldest);
        if this.every == 0 || !count.is_multiple_of(this.every) {
            return Err(given);
        }
        let item = given.value(py).getattr(word!(py, "value"))?;
        let reporting = this.call(py, "reporting", (slf, count, &item))?;
        Self::rest(slf, reporting, Some(item.unbind()))
    }

    /// The source has ended, or failed, or was cancelled: it is closed before that goes on.
    fn ended(slf: &Bound<'_, Self>, error: PyErr) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let this = slf.get();
        this.is_driven.store(false, Relaxed);
        if error.is_instance_of::<PyStopAsyncIteration>(py) {
            Self::_over(slf, true)?;
            return Err(error);
        }
        if !this.closes_source {
            Self::_over(slf, false)?;
            return Err(error);
        }
        let closing = this.call(py, "closing", (slf, error.value(py)))?;
        drop(error);
        Self::rest(slf, closing, None)
    }

    /// Goes on with what is done after the source has answered.
    fn rest(
        slf: &Bound<'_, Self>,
        awaited: Py<PyAny>,
        item: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let this = slf.get();
        this.is_driven.store(true, Relaxed);
        let before = this.state.lock().step.replace(Step::rest(awaited, item));
        drop(before);
        Self::__next__(slf)
    }

    /// The rest is done: the item is given, or what the rest raised.
    fn after_rest(&self, py: Python<'_>, step: Step, error: PyErr) -> PyErr {
        self.is_driven.store(false, Relaxed);
        match step.item {
            Some(item) if error.is_instance_of::<PyStopIteration>(py) => stop_iteration(py, item),
            _ => error,
        }
    }

    /// Calls one of the coroutine functions that a rest consists of, and gives what drives it.
    fn call<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        args: impl PyCallArgs<'py>,
    ) -> PyResult<Py<PyAny>> {
        let coroutine = helper(py, name)?.call1(args)?;
        let awaited = coroutine.call_method0(word!(py, "__await__"))?;
        Ok(awaited.unbind())
    }
}

fn helper<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import(word!(py, "hother.cancelable.core.streams"))?
        .getattr(name)
}
