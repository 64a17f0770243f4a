//! `Context`, what there is to know about an operation, as Python sees it: the base of `OperationContext`.
//!
//! It is a handle to a record. That of a live operation changes with it; one that a program makes by hand has a record of its
//! own, and all of its fields may be set.

use std::sync::Arc;
use std::time::SystemTime;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::record::{Fields, Moment, Record};
use super::status::Status;
use super::told;
use crate::found::{Found, word};
use crate::reason;
use crate::text::Text;

/// See the module's documentation.
#[pyclass(frozen, subclass, weakref, module = "hother.cancelable._core")]
pub(crate) struct Context {
    record: Arc<Record>,
}

impl Context {
    /// A context that shows `record`: of the class that programs know.
    pub(crate) fn around(py: Python<'_>, record: Arc<Record>) -> PyResult<Py<PyAny>> {
        static CLASS: Found<Py<PyType>> = Found::new();
        let class = CLASS.import(py, "hother.cancelable.core.models", "OperationContext")?;
        let handed = Py::new(py, Handed(record))?;
        Ok(class.call_method1("__new__", (class, handed))?.unbind())
    }
}

/// A record on its way to a new context.
#[pyclass(frozen)]
struct Handed(Arc<Record>);

#[pymethods]
impl Context {
    #[new]
    #[pyo3(signature = (*args, **_fields), text_signature = "(**data)")]
    fn new(args: &Bound<'_, PyTuple>, _fields: Option<&Bound<'_, PyDict>>) -> Self {
        let handed = args.iter().next();
        let handed = handed.and_then(|handed| handed.cast_into::<Handed>().ok());
        Self {
            record: match handed {
                Some(handed) => Arc::clone(&handed.get().0),
                None => Arc::default(),
            },
        }
    }

    #[pyo3(signature = (**data))]
    fn __init__(slf: &Bound<'_, Self>, data: Option<Bound<'_, PyDict>>) -> PyResult<()> {
        let py = slf.py();
        if data.is_some() || !slf.getattr(word!(py, "_own_fields"))?.is_none() {
            let data = data.unwrap_or_else(|| PyDict::new(py));
            slf.call_method1(word!(py, "_fill"), (data,))?;
        }
        Ok(())
    }

    /// A context of its own that shows how things stand now, and goes on showing that.
    fn _snapshot(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Self::around(py, Arc::new(self.record.frozen(py)))
    }

    /// Unique unless the program gave the id itself.
    #[getter]
    fn id(&self) -> String {
        let given = self.more(|more| more.id.clone());
        given.unwrap_or_else(|| self.record.id().to_owned())
    }

    #[setter]
    fn set_id(&self, id: String) {
        self.record.fields().more().id = Some(id);
    }

    /// The name that the program gave, if any.
    #[getter]
    fn name(&self) -> Option<String> {
        self.record.fields().name.text()
    }

    #[setter]
    fn set_name(&self, name: Option<Text>) {
        self.record.fields().name = name.map(String::from).into();
    }

    /// Which attempt at the work with this id it is, from 1.
    #[getter]
    fn attempt(&self) -> u32 {
        self.more(|more| more.attempt).unwrap_or(1)
    }

    #[setter]
    fn set_attempt(&self, attempt: u32) {
        self.record.fields().more().attempt = Some(attempt);
    }

    /// Where it stands.
    #[getter]
    fn status(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.record.status().member(py)
    }

    #[setter]
    fn set_status(&self, status: &Bound<'_, PyAny>) -> PyResult<()> {
        let status = Status::from_python(status)?;
        self.record.fields().status = status;
        Ok(())
    }

    /// When it started, in UTC.
    #[getter]
    fn start_time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let (read, given) = {
            let mut fields = self.record.fields();
            split(fields.start(), py)
        };
        shown(py, read, given)
    }

    #[setter]
    fn set_start_time(&self, start: Py<PyAny>) {
        let before = {
            let mut fields = self.record.fields();
            fields.took = None;
            fields.start.replace(Moment::Given(start))
        };
        drop(before);
    }

    /// When it ended, in UTC; `None` before.
    #[getter]
    fn end_time(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let parts = {
            let fields = self.record.fields();
            fields.end.as_ref().map(|end| split(end, py))
        };
        match parts {
            Some((read, given)) => shown(py, read, given),
            None => Ok(py.None()),
        }
    }

    #[setter]
    fn set_end_time(&self, end: Option<Py<PyAny>>) {
        let end = end.map(Moment::Given);
        let before = {
            let mut fields = self.record.fields();
            fields.took = None;
            std::mem::replace(&mut fields.end, end)
        };
        drop(before);
    }

    /// Why it was asked to stop, as a member of `CancelationReason`; `None` if it was not.
    #[getter]
    fn cancel_reason(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let known = self.record.fields().reason;
        let known = known.or_else(|| self.record.asked_meanwhile().map(|why| why.reason()));
        match known {
            Some(known) => Ok(reason::to_python(py, known)?.unbind()),
            None => Ok(py.None()),
        }
    }

    #[setter]
    fn set_cancel_reason(&self, given: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let given = given.map(reason::from_python).transpose()?;
        self.record.fields().reason = given;
        Ok(())
    }

    /// What was said about that.
    #[getter]
    fn cancel_message(&self) -> Option<String> {
        let known = self.record.fields().message.clone();
        known.or_else(|| told::message(&self.record.asked_meanwhile()?))
    }

    #[setter]
    fn set_cancel_message(&self, message: Option<Text>) {
        self.record.fields().message = message.map(String::from);
    }

    /// What went wrong, if it failed.
    #[getter]
    fn error(&self) -> Option<String> {
        self.more(|more| more.error.clone())
    }

    #[setter]
    fn set_error(&self, error: Option<Text>) {
        self.record.fields().more().error = error.map(String::from);
    }

    /// What its stream has delivered so far.
    #[getter]
    fn partial_result(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.more(|more| Some(more.partial_result.as_ref()?.clone_ref(py)))
    }

    #[setter]
    fn set_partial_result(&self, result: Option<Py<PyAny>>) {
        let before = std::mem::replace(&mut self.record.fields().more().partial_result, result);
        drop(before);
    }

    /// The program's own facts about it.
    #[getter]
    fn metadata(&self, py: Python<'_>) -> Py<PyDict> {
        self.record.metadata(py)
    }

    #[setter]
    fn set_metadata(&self, metadata: &Bound<'_, PyAny>) -> PyResult<()> {
        let dict = metadata.cast::<PyDict>().map_err(|_| {
            PyTypeError::new_err(format!("metadata must be a dict, got {metadata:?}"))
        })?;
        let dict = dict.clone().unbind();
        let before = self.record.fields().more().metadata.replace(dict);
        drop(before);
        Ok(())
    }

    /// The id of the operation that it was given as parent.
    #[getter]
    fn parent_id(&self) -> Option<String> {
        self.more(|more| more.parent_id.clone())
    }

    #[setter]
    fn set_parent_id(&self, parent_id: Option<String>) {
        self.record.fields().more().parent_id = parent_id;
    }

    /// How long it took, or had taken when this was a snapshot of it; `None` of one that goes on, or whose times are set by hand.
    #[getter]
    fn _took_seconds(&self) -> Option<f64> {
        self.record.fields().took.map(|took| took.as_secs_f64())
    }

    /// How long it took to end after it was asked to, in seconds; so far, while it has not ended; `None` if it was not asked.
    #[getter]
    fn ask_to_end_seconds(&self) -> Option<f64> {
        let ended = self.record.fields().since_asked;
        let since = ended.or_else(|| Some(self.record.asked_meanwhile()?.instant().elapsed()));
        since.map(|since| since.as_secs_f64())
    }
}

impl Context {
    fn more<T>(&self, look: impl FnOnce(&super::record::More) -> Option<T>) -> Option<T> {
        let fields: &Fields = &self.record.fields();
        fields.more_if_any().and_then(look)
    }
}

fn split(moment: &Moment, py: Python<'_>) -> (Option<SystemTime>, Option<Py<PyAny>>) {
    match moment {
        Moment::Read(at) => (Some(*at), None),
        Moment::Given(given) => (None, Some(given.clone_ref(py))),
    }
}

/// A moment as a `datetime` in UTC.
fn shown(
    py: Python<'_>,
    read: Option<SystemTime>,
    given: Option<Py<PyAny>>,
) -> PyResult<Py<PyAny>> {
    match (read, given) {
        (Some(at), _) => Ok(at.into_pyobject(py)?.into_any().unbind()),
        (None, Some(given)) => Ok(given),
        (None, None) => Ok(py.None()),
    }
}
