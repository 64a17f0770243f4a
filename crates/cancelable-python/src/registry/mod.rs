//! The registry as Python asks it: the core's, with the operations and contexts of Python found through it.
//!
//! | room | what it does |
//! |---|---|
//! | `listed` | what the core's registry may ask of an operation |
//! | `entry` | what an operation keeps of its registration, and tells through it |
//! | `wanted` | which operations are meant |
//! | `events` | what happens, as JSON |
//! | `json` | Python's values as those of JSON |
//!
//! # Invariants
//!
//! 1. **No lock of a registry is held while Python runs**: the core calls nothing foreign under its locks, and here there are none.
//! 2. **Others get their turn**: whatever goes through many operations lets go of the interpreter every so often.
//! 3. **A snapshot is one's own**: each that is given out is a record of its own, and no later change is seen in it.

mod entry;
mod events;
mod json;
mod listed;
mod wanted;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cancelable_core::{Filter, OperationContext, Outcome};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub(crate) use entry::Entry;
pub(crate) use events::Events;
pub(crate) use listed::Listed;
use wanted::Wanted;

use crate::fork::Own;
use crate::operation::{Context, Operation, Record, Status, Why};

/// See the module's documentation.
#[pyclass(frozen, module = "hother.cancelable._core")]
pub(crate) struct Registry {
    core: Own<cancelable_core::Registry>,
}

#[pymethods]
impl Registry {
    #[new]
    fn new() -> Self {
        Self {
            core: Own::new(cancelable_core::Registry::new()),
        }
    }

    /// Lists an operation until it ends or is taken off, and keeps it alive for as long.
    fn register(&self, operation: &Bound<'_, Operation>) -> PyResult<()> {
        let parent_id = operation.get().parent_id(operation.py());
        Operation::list_in(operation, self.core()?, parent_id, true)
    }

    /// Takes an operation off the list; `False` if none that is live has this id.
    fn unregister(&self, py: Python<'_>, operation_id: &str) -> PyResult<bool> {
        let operation = self.operation(py, operation_id)?;
        if let Some(operation) = &operation {
            operation.get().unlist(py);
        }
        Ok(operation.is_some())
    }

    /// The live operation with this id.
    fn operation(&self, py: Python<'_>, operation_id: &str) -> PyResult<Option<Py<Operation>>> {
        let context = self.core()?.get(operation_id);
        let listed = context.and_then(listed_in);
        Ok(listed.and_then(|listed| listed.operation(py)))
    }

    /// Snapshots of the live operations that are meant, in the order of their registration: `children_of` are those that run
    /// in the operation with this id, `parent_id` those that were given it as parent.
    #[pyo3(signature = (status=None, parent_id=None, name_pattern=None, children_of=None))]
    fn contexts(
        &self,
        py: Python<'_>,
        status: Option<&Bound<'_, PyAny>>,
        parent_id: Option<String>,
        name_pattern: Option<&str>,
        children_of: Option<&str>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let mut wanted = Wanted::new(status, name_pattern)?.with_parent(parent_id);
        if let Some(id) = children_of {
            wanted.filter = wanted.filter.parent(id);
        }
        let mut contexts = Vec::new();
        self.each_live(py, &wanted, |listed| {
            contexts.push(snapshot(py, listed.record())?);
            Ok(())
        })?;
        Ok(contexts)
    }

    /// Asks the operation with this id to stop; whether it is live, and so has been asked by now.
    fn cancel(&self, operation_id: &str, why: &Bound<'_, Why>) -> PyResult<bool> {
        let outcome = self.core()?.cancel(operation_id, why.get().0.clone());
        Ok(matches!(outcome, Outcome::Asked | Outcome::AlreadyAsked))
    }

    /// Asks all that are meant to stop, once all have been found; how many these are, less those that had ended by then.
    #[pyo3(signature = (why, status=None, name_pattern=None, min_age=None, max_age=None, accept=None))]
    #[expect(clippy::too_many_arguments, reason = "each is a condition of its own")]
    fn cancel_all(
        &self,
        py: Python<'_>,
        why: &Bound<'_, Why>,
        status: Option<&Bound<'_, PyAny>>,
        name_pattern: Option<&str>,
        min_age: Option<f64>,
        max_age: Option<f64>,
        accept: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        let wanted = Wanted::new(status, name_pattern)?.with_age(min_age, max_age)?;
        let mut meant = Vec::new();
        self.each_live(py, &wanted, |listed| {
            let is_meant = match accept {
                Some(accept) => accept
                    .call1((snapshot(py, listed.record())?,))?
                    .is_truthy()?,
                None => true,
            };
            if is_meant {
                meant.push(listed);
            }
            Ok(())
        })?;
        let mut asked = 0;
        for some in meant.chunks(AT_A_TIME) {
            asked += some
                .iter()
                .filter(|listed| listed.ask(why.get().0.clone()))
                .count();
            give_way(py);
        }
        Ok(asked)
    }

    /// Snapshots of those that ended, the newest `limit`, the oldest first.
    #[pyo3(signature = (limit=None, status=None, since=None))]
    fn history(
        &self,
        py: Python<'_>,
        limit: Option<i64>,
        status: Option<&Bound<'_, PyAny>>,
        since: Option<SystemTime>,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let limit = limit.map(usize::try_from).transpose().map_err(|_| {
            PyValueError::new_err(format!(
                "limit must not be negative, got {}; leave it out for all",
                limit.unwrap_or_default()
            ))
        })?;
        let wanted = Wanted::new(status, None)?.with_end_since(since);
        let core = self.core()?;
        let ended = py.detach(|| core.history(&wanted.filter));
        let records = ended.into_iter().filter_map(record_in);
        let records = records.filter(|record| wanted.takes(record));
        let mut contexts = records
            .take(limit.unwrap_or(usize::MAX))
            .map(|record| snapshot(py, &record))
            .collect::<PyResult<Vec<_>>>()?;
        contexts.reverse();
        Ok(contexts)
    }

    /// Takes those off the list that have ended by hand, or whose loop was closed while they ran, and those out of the history that ended at least so many seconds ago;
    /// without a number, none of these. How many there were.
    fn clean_up(
        &self,
        py: Python<'_>,
        older_than: Option<f64>,
        keep_failed: bool,
    ) -> PyResult<usize> {
        let core = self.core()?;
        let age = older_than
            .map(|age| wanted::seconds("max_age_seconds", age))
            .transpose()?;
        let latest = age.map(|age| SystemTime::now().checked_sub(age));
        let is_old = move |end: Option<SystemTime>| match latest {
            None => true,
            Some(latest) => end.is_none_or(|end| latest.is_some_and(|latest| end <= latest)),
        };
        let is_kept = move |status: Status| keep_failed && status == Status::Failed;
        let mut count = 0;
        if age.is_some() {
            let past = Filter::new().matching(move |context| {
                let status = record_in(context.clone()).map(|record| record.status());
                is_old(context.end) && !status.is_some_and(is_kept)
            });
            count += py.detach(|| core.forget(&past));
        }
        self.each_live(py, &Wanted::all(), |listed| {
            let record = listed.record();
            let status = record.status();
            let operation = listed.operation(py);
            if operation.is_some_and(|it| it.get().end_if_abandoned(py)) {
                count += 1;
            } else if status.is_terminal() && !is_kept(status) && is_old(record.fields().ended_at())
            {
                count += 1;
                listed.unlist(py);
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// How many there are and have been, and how long they took.
    fn statistics(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let core = self.core()?;
        let (figures, history) = py.detach(|| (core.statistics(), core.history(&Filter::new())));
        let active = PyDict::new(py);
        for (status, count) in [
            (Status::Pending, figures.active.pending),
            // Whoever is asked to stop still runs.
            (
                Status::Running,
                figures.active.running + figures.active.cancelling,
            ),
        ] {
            if count > 0 {
                active.set_item(status.as_str(), count)?;
            }
        }
        let mut took = Vec::new();
        let mut ended: Vec<(Status, usize)> = Vec::new();
        for record in history.into_iter().filter_map(record_in) {
            let status = record.status();
            match ended.iter_mut().find(|(other, _)| *other == status) {
                Some((_, count)) => *count += 1,
                None => ended.push((status, 1)),
            }
            if status == Status::Completed {
                took.extend(record.fields().took);
            }
        }
        let by_status = PyDict::new(py);
        for (status, count) in &ended {
            by_status.set_item(status.as_str(), count)?;
        }
        let all: Duration = took.iter().sum();
        let average = all.as_secs_f64() / took.len().max(1) as f64;
        let shown = PyDict::new(py);
        shown.set_item("active_operations", figures.active.total())?;
        shown.set_item("active_by_status", active)?;
        let size: usize = ended.iter().map(|(_, count)| count).sum();
        shown.set_item("history_size", size)?;
        shown.set_item("history_by_status", by_status)?;
        shown.set_item("average_duration_seconds", average)?;
        shown.set_item("total_completed", figures.ended.completed)?;
        Ok(shown.unbind())
    }

    /// Takes all off the list, whatever they do.
    fn let_go(&self, py: Python<'_>) -> PyResult<()> {
        self.each_live(py, &Wanted::all(), |listed| {
            listed.unlist(py);
            Ok(())
        })
    }

    /// Listens to what happens from now on; the newest `capacity` events are kept for whoever listens.
    fn events(&self, capacity: usize) -> PyResult<Events> {
        if capacity == 0 {
            return Err(PyValueError::new_err("capacity must be at least 1, got 0"));
        }
        Ok(Events::new(self.core()?.subscribe(capacity)))
    }
}

impl Registry {
    /// The core's registry.
    pub(crate) fn core(&self) -> PyResult<&cancelable_core::Registry> {
        self.core.get().ok_or_else(|| {
            PyRuntimeError::new_err("this registry is that of the process that forked this one")
        })
    }

    /// Goes through the live operations that are meant, and lets others have their turn in between.
    fn each_live(
        &self,
        py: Python<'_>,
        wanted: &Wanted,
        mut then: impl FnMut(Arc<Listed>) -> PyResult<()>,
    ) -> PyResult<()> {
        let core = self.core()?;
        let mut after = None;
        loop {
            let page = core.page(&wanted.filter, after, AT_A_TIME);
            for listed in page.operations.into_iter().filter_map(listed_in) {
                if wanted.takes(listed.record()) {
                    then(listed)?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
            give_way(py);
        }
    }
}

/// What is attached to a snapshot of one that is live.
fn listed_in(context: OperationContext) -> Option<Arc<Listed>> {
    context.attachment?.downcast().ok()
}

/// What is attached to the last snapshot of one that ended.
fn record_in(context: OperationContext) -> Option<Arc<Record>> {
    context.attachment?.downcast().ok()
}

fn snapshot(py: Python<'_>, record: &Record) -> PyResult<Py<PyAny>> {
    Context::around(py, Arc::new(record.frozen(py)))
}

/// Lets other threads have the interpreter, if any waits for it.
fn give_way(py: Python<'_>) {
    py.detach(|| ());
}

/// Operations that are gone through before others get their turn: a millisecond's worth.
const AT_A_TIME: usize = 256;
