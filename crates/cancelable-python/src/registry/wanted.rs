//! `Wanted`, which operations are meant, in Python's words.

use std::time::{Duration, SystemTime};

use cancelable_core::{Filter, OperationStatus};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::operation::{Record, Status};

/// See the module's documentation: a filter of the core's, and what that cannot tell.
pub(super) struct Wanted {
    pub(super) filter: Filter,
    status: Option<Status>,
    parent_id: Option<String>,
}

impl Wanted {
    pub(super) fn all() -> Self {
        Self {
            filter: Filter::new(),
            status: None,
            parent_id: None,
        }
    }

    pub(super) fn new(
        status: Option<&Bound<'_, PyAny>>,
        name_pattern: Option<&str>,
    ) -> PyResult<Self> {
        let mut wanted = Self::all();
        if let Some(text) = name_pattern {
            let like = wanted.filter.name_like(text);
            wanted.filter = like.map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
        if let Some(status) = status {
            let status = Status::from_python(status)?;
            wanted.status = Some(status);
            let of_core = of_core(status).iter();
            wanted.filter = of_core.fold(wanted.filter, |filter, &it| filter.status(it));
        }
        Ok(wanted)
    }

    /// Those alone that were given this one as parent.
    pub(super) fn with_parent(mut self, id: Option<String>) -> Self {
        if let Some(id) = &id {
            self.filter = self.filter.parent(id);
        }
        self.parent_id = id;
        self
    }

    /// Those alone that have gone on for so many seconds.
    pub(super) fn with_age(mut self, least: Option<f64>, most: Option<f64>) -> PyResult<Self> {
        if let Some(least) = least {
            let least = seconds("min_age_seconds", least)?;
            self.filter = self.filter.min_age(least);
        }
        if let Some(most) = most {
            let most = seconds("max_age_seconds", most)?;
            self.filter = self.filter.max_age(most);
        }
        Ok(self)
    }

    /// Those alone that ended then or later.
    pub(super) fn with_end_since(mut self, since: Option<SystemTime>) -> Self {
        if let Some(since) = since {
            let filter = self.filter;
            self.filter = filter.matching(move |it| it.end.is_some_and(|end| end >= since));
        }
        self
    }

    /// Whether one is meant that the filter takes.
    pub(super) fn takes(&self, record: &Record) -> bool {
        let is_status = self.status.is_none_or(|wanted| {
            let status = record.status();
            // Whoever is asked to stop still runs.
            status == wanted || (wanted, status) == (Status::Running, Status::Cancelling)
        });
        is_status && (self.parent_id.is_none() || self.parent_id == record.parent_id())
    }
}

/// What the core calls those that may have this status.
fn of_core(status: Status) -> &'static [OperationStatus] {
    match status {
        Status::Pending => &[OperationStatus::Pending],
        Status::Running | Status::Shielded => {
            &[OperationStatus::Running, OperationStatus::Cancelling]
        }
        Status::Cancelling => &[OperationStatus::Cancelling],
        Status::Completed => &[OperationStatus::Completed],
        Status::Cancelled | Status::Timeout => &[OperationStatus::Cancelled],
        Status::Failed => &[OperationStatus::Failed],
    }
}

/// A length of time; `what` is what errors call it.
pub(super) fn seconds(what: &str, given: f64) -> PyResult<Duration> {
    if given.is_nan() || given < 0.0 {
        return Err(PyValueError::new_err(format!(
            "{what} must be a number of seconds, not negative, got {given}"
        )));
    }
    // Longer than any operation can be.
    Ok(Duration::try_from_secs_f64(given).unwrap_or(Duration::MAX))
}
