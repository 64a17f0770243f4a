//! Asks: how an operation comes to be told to stop, and why it was.

use std::sync::Arc;
use std::task::Wake;

use cancelable_core::CancellationToken;
use pyo3::prelude::*;

use super::{Operation, Record, Why, told};
use crate::loops;

impl Operation {
    /// Asks it to stop; `false` if it was asked before.
    pub(super) fn cancel(&self, why: &Bound<'_, Why>, with_children: bool) -> bool {
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

    /// Ends its run, since one of its sources fired; `false` if it was asked before.
    pub(super) fn fire(&self, why: &Bound<'_, Why>, from_afar: bool) -> bool {
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

    /// Has it be asked to stop when `other` is, with the reason of that: its run, or the one to come.
    pub(super) fn follow(&self, other: &Bound<'_, Self>) {
        let theirs = other.get().record();
        if self.state.lock().running.is_some() {
            self.end_run_with(theirs.stop());
        } else {
            self.record().stop().link(theirs.stop());
        }
    }

    /// Has the run be asked to stop when `other` is cancelled, with the reason of that.
    pub(super) fn end_run_with(&self, other: &CancellationToken) {
        let meanwhile = {
            let mut state = self.state.lock();
            let stop = state.record.stop().clone();
            let Some(running) = &mut state.running else {
                return;
            };
            let meanwhile = running.meanwhile.get_or_insert_with(|| {
                let meanwhile = CancellationToken::new();
                stop.link(&meanwhile);
                meanwhile
            });
            meanwhile.clone()
        };
        meanwhile.link(other);
    }

    /// Why it was asked to stop, as it tells it: with the id of its parent.
    pub(super) fn asked(&self, py: Python<'_>) -> Option<cancelable_core::Cancellation> {
        self.asked_by(py, &self.record())
    }

    /// The same of one whose record this is.
    pub(super) fn asked_by(
        &self,
        py: Python<'_>,
        record: &Record,
    ) -> Option<cancelable_core::Cancellation> {
        let why = record.asked()?;
        if !told::is_by_parent(&why) || told::parent(&why).is_some() {
            return Some(why);
        }
        let parent = {
            let state = self.state.lock();
            let running = state.running.as_ref();
            running.and_then(|it| Some(it.parent.as_ref()?.clone_ref(py)))
        };
        let record = parent.map(|parent| parent.get().record());
        Some(told::with_parent(why, record.as_ref().map(|it| it.id())))
    }
}
