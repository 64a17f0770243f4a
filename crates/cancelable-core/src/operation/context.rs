//! A snapshot of an operation.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{OperationStatus, Progress};
use crate::Cancellation;

/// What is known about an operation at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperationContext {
    /// Unique unless the program gave the id itself.
    pub id: String,
    /// Which attempt at the work with this id it is, from 1.
    pub attempt: u32,
    /// The name that the program gave, if any.
    pub name: Option<String>,
    /// Where it stands.
    pub status: OperationStatus,
    /// When it started, by the wall clock.
    pub start: SystemTime,
    /// When it ended, by the wall clock.
    pub end: Option<SystemTime>,
    /// How long it took, or has taken so far, by the runtime's clock.
    pub duration: Duration,
    /// When it was asked to stop, by the wall clock, whether it did or finished anyway.
    pub asked_at: Option<SystemTime>,
    /// How long it took to end after it was asked, or has taken so far.
    pub since_asked: Option<Duration>,
    /// Why it was asked to stop, whether it did or finished anyway.
    pub cancellation: Option<Cancellation>,
    /// What went wrong, if it failed.
    pub error: Option<String>,
    /// How many finalizers did not run to their end, since no runtime was left that could run them.
    pub skipped_finalizers: u64,
    /// The latest report of progress.
    pub progress: Option<Progress>,
    /// How many things it does in a second, by its own reports; `None` where none of them counts.
    pub rate: Option<f64>,
    /// How long it has yet to go, by its own reports; `None` where that is unknown, and once it has ended.
    pub time_left: Option<Duration>,
    /// How many items its streams have delivered.
    pub items: u64,
    /// Whatever else the program said about it.
    pub metadata: Map<String, Value>,
    /// The id of the operation that it runs in.
    pub parent_id: Option<String>,
}

impl OperationContext {
    /// A snapshot of an operation that has just started.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            attempt: 1,
            name: None,
            status: OperationStatus::default(),
            start: SystemTime::now(),
            end: None,
            duration: Duration::ZERO,
            asked_at: None,
            since_asked: None,
            cancellation: None,
            error: None,
            skipped_finalizers: 0,
            progress: None,
            rate: None,
            time_left: None,
            items: 0,
            metadata: Map::new(),
            parent_id: None,
        }
    }
}
