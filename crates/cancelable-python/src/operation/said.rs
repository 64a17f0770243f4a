//! What a program says of an operation, mostly before that runs: what it is, and how it may end.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt};

use super::name::Name;
use super::{Operation, Record};
use crate::text::Text;
use crate::token::{self, Links, Token};

impl Operation {
    /// Notes what the program said of it, before anything else is asked of it.
    pub(super) fn describe(
        &self,
        operation_id: Option<String>,
        name: Option<Text>,
        metadata: Option<Py<PyDict>>,
        attempt: Option<u32>,
    ) {
        if let Some(id) = operation_id {
            let record = Arc::new(Record::made(Some(id)));
            let before = std::mem::replace(&mut self.state.lock().record, record);
            drop(before);
        }
        let record = self.record();
        let mut fields = record.fields();
        fields.name = name.map(String::from).into();
        let before = if metadata.is_some() || attempt.is_some() {
            let more = fields.more();
            more.attempt = attempt;
            std::mem::replace(&mut more.metadata, metadata)
        } else {
            None
        };
        drop(fields);
        drop(before);
    }

    /// A time limit of one that was just made; `false` where it is no plain number of seconds, and nothing was done.
    pub(super) fn limit_plainly(&self, given: &Bound<'_, PyAny>, is_named_after_it: bool) -> bool {
        let (seconds, name) = if let Ok(float) = given.cast_exact::<PyFloat>() {
            (float.value(), Name::after(float.value()))
        } else if given.is_exact_instance_of::<PyInt>()
            && let Ok(whole) = given.extract::<i32>()
        {
            (f64::from(whole), Some(Name::Seconds(whole)))
        } else {
            return false;
        };
        let name = match (is_named_after_it, name) {
            (false, _) => None,
            (true, Some(name)) => Some(name),
            (true, None) => return false,
        };
        if seconds.is_nan() || seconds <= 0.0 {
            return false;
        }
        let mut state = self.state.lock();
        state.timeout = Some(seconds);
        if let Some(name) = name {
            state.record.fields().name = name;
        }
        true
    }

    /// A time limit from the start, or from now where it runs; of several the least counts.
    pub(super) fn limit(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
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
    pub(super) fn set_token(&self, token: &Bound<'_, Token>) {
        let face = token.clone().unbind();
        let mut state = self.state.lock();
        let before = state.face.replace(face);
        state.has_given_face = true;
        state.links.push(token.get().core().clone());
        drop(state);
        drop(before);
    }

    /// Has it be cancelled when `other` is, by its token or where it runs, and by when its time would be up.
    pub(super) fn combine(&self, py: Python<'_>, other: &Bound<'_, Self>) -> PyResult<()> {
        let (timeout, mut links, stop) = {
            let theirs = other.get().state.lock();
            let stop = theirs.record.stop().clone();
            (theirs.timeout, theirs.links.clone(), stop)
        };
        links.push(stop);
        if let Some(timeout) = timeout {
            self.limit(py, timeout)?;
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
    pub(super) fn seen_token(&self, py: Python<'_>) -> PyResult<Py<Token>> {
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
}
