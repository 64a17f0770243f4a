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

mod asks;
mod context;
mod current;
mod delivery;
mod ends;
mod enter;
mod graces;
mod listing;
mod methods;
mod name;
mod native;
mod record;
mod run;
mod said;
mod status;
pub(crate) mod told;
mod why;

use std::sync::Arc;

use cancelable_core::CancellationToken;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

pub(crate) use context::Context;
pub(crate) use delivery::Delivery;
use graces::Graces;
pub(crate) use record::{Moment, Record};
use run::Running;
pub(crate) use status::Status;
pub(crate) use why::Why;

use crate::registry::Entry;
use crate::token::Token;

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
    graces: Option<Box<Graces>>,
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

impl Operation {
    fn made() -> Self {
        let record = Arc::new(Record::made(None));
        let state = State {
            record,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
        }
    }

    pub(crate) fn record(&self) -> Arc<Record> {
        Arc::clone(&self.state.lock().record)
    }

    /// What errors call it: its name, if it has one, and its id.
    pub(super) fn shown(&self) -> String {
        let record = self.record();
        let name = record.fields().name.text();
        match name {
            Some(name) => format!("{name:?} ({})", record.id()),
            None => record.id().to_owned(),
        }
    }

    pub(super) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
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
}
