//! `Listed`, what the core's registry may ask of an operation, and what is found through that.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use cancelable_core::{
    Cancellation, CancellationToken, LiveOperation, OperationContext, OperationStatus,
};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefMethods, PyWeakrefReference};
use serde_json::Value;

use super::json;
use crate::operation::{Moment, Operation, Record, Status, told};

/// See the module's documentation. It goes by the name and the parent that the operation had when it was registered.
pub(crate) struct Listed {
    me: Weak<Self>,
    record: Arc<Record>,
    name: Option<String>,
    parent_id: Option<String>,
    attempt: u32,
    since: Instant,
    /// What is cancelled in place of the operation's own token: the one that it was made with.
    token: Option<CancellationToken>,
    operation: Py<PyWeakrefReference>,
    /// The operation, where the registry is to keep it alive: a circle until it leaves, which the garbage collector is not told.
    kept: Mutex<Option<Py<Operation>>>,
}

impl Listed {
    pub(crate) fn new(
        operation: &Bound<'_, Operation>,
        record: Arc<Record>,
        parent_id: Option<String>,
        token: Option<CancellationToken>,
    ) -> PyResult<Arc<Self>> {
        let operation = PyWeakrefReference::new(operation)?.unbind();
        let (name, attempt) = {
            let fields = record.fields();
            let attempt = fields.more_if_any().and_then(|more| more.attempt);
            (fields.name.text(), attempt.unwrap_or(1))
        };
        Ok(Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            record,
            name,
            parent_id,
            attempt,
            since: Instant::now(),
            token,
            operation,
            kept: Mutex::default(),
        }))
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// The operation, unless it is gone.
    pub(crate) fn operation(&self, py: Python<'_>) -> Option<Py<Operation>> {
        let operation = self.operation.bind(py).upgrade()?;
        operation.cast_into().ok().map(Bound::unbind)
    }

    /// Has its operation leave.
    pub(crate) fn unlist(&self, py: Python<'_>) {
        if let Some(operation) = self.operation(py) {
            operation.get().unlist(py);
        }
    }

    pub(crate) fn keep(&self, operation: &Bound<'_, Operation>) {
        let before = self.kept.lock().replace(operation.clone().unbind());
        drop(before);
    }

    pub(crate) fn let_go(&self) {
        let kept = self.kept.lock().take();
        drop(kept);
    }

    /// Asks it to stop; `false` if it has ended.
    pub(crate) fn ask(&self, why: Cancellation) -> bool {
        if self.record.status().is_terminal() {
            return false;
        }
        self.cancel_with(why) || !self.record.status().is_terminal()
    }

    /// Why it was asked to stop, if it was.
    pub(crate) fn asked(&self) -> Option<Cancellation> {
        let why = self.record.asked()?;
        Some(told::with_parent(why, self.parent_id.as_deref()))
    }

    /// The snapshot for the history, with a record that nobody else has.
    pub(crate) fn last_context(&self, py: Python<'_>) -> OperationContext {
        self.shown(Some(Arc::new(self.record.frozen(py))))
    }

    fn shown(&self, attachment: Option<Arc<dyn Any + Send + Sync>>) -> OperationContext {
        let asked = self.asked();
        let status = self.status();
        let mut shown = OperationContext::new(self.id());
        shown.attempt = self.attempt;
        shown.name = self.name.clone();
        shown.parent_id = self.parent_id.clone();
        shown.status = status;
        shown.attachment = attachment;
        {
            let fields = self.record.fields();
            if let Some(Moment::Read(at)) = fields.start {
                shown.start = at;
            }
            shown.end = fields.ended_at();
            shown.duration = fields.taken().unwrap_or_else(|| self.since.elapsed());
            shown.since_asked = fields.since_asked;
            shown.error = fields.more_if_any().and_then(|more| more.error.clone());
        }
        // What was asked after an error is no part of how it ended.
        if let Some(why) = asked.filter(|_| status != OperationStatus::Failed) {
            shown.asked_at = Some(why.at());
            shown.since_asked = shown.since_asked.or(Some(why.instant().elapsed()));
            shown.cancellation = Some(why);
        }
        shown.metadata = self.with_metadata(json::object).unwrap_or_default();
        shown
    }

    /// Has a look at the metadata, if there is any. Where the interpreter is on its way out there is none.
    fn with_metadata<T>(&self, look: impl FnOnce(&Bound<'_, PyAny>) -> T) -> Option<T> {
        if !self.record.has_metadata() {
            return None;
        }
        Python::try_attach(|py| look(self.record.metadata(py).bind(py).as_any()))
    }
}

impl LiveOperation for Listed {
    fn id(&self) -> &str {
        self.record.id()
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn parent_id(&self) -> Option<&str> {
        self.parent_id.as_deref()
    }

    fn status(&self) -> OperationStatus {
        match self.record.status() {
            Status::Pending => OperationStatus::Pending,
            Status::Running | Status::Shielded => OperationStatus::Running,
            Status::Cancelling => OperationStatus::Cancelling,
            Status::Completed => OperationStatus::Completed,
            Status::Cancelled | Status::Timeout => OperationStatus::Cancelled,
            Status::Failed => OperationStatus::Failed,
        }
    }

    fn age(&self) -> Duration {
        let taken = self.record.fields().taken();
        taken.unwrap_or_else(|| self.since.elapsed())
    }

    fn since_asked(&self) -> Option<Duration> {
        self.record.asked().map(|why| why.instant().elapsed())
    }

    fn has_metadata(&self, key: &str, value: &Value) -> bool {
        let has = self.with_metadata(|metadata| {
            let found = metadata
                .cast::<PyDict>()
                .ok()
                .and_then(|dict| dict.get_item(key).ok().flatten());
            found.and_then(|found| json::value(&found)).as_ref() == Some(value)
        });
        has.unwrap_or_default()
    }

    fn context(&self) -> OperationContext {
        let me = self.me.upgrade();
        self.shown(me.map(|me| me as Arc<dyn Any + Send + Sync>))
    }

    fn cancel_with(&self, why: Cancellation) -> bool {
        let token = self.token.as_ref().unwrap_or(self.record.stop());
        token.cancel_with(why)
    }
}
