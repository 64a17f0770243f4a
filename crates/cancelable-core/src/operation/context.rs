//! A snapshot of an operation.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::version::Version;
use super::{OperationStatus, Progress};
use crate::{Cancellation, serial};

/// What is known about an operation at one moment.
///
/// As JSON it is an object with these fields and a `version`, which is 1 here. Times are RFC 3339 in UTC, to the nanosecond;
/// what ends in `_seconds` is a number. Fields that are added later are ignored by whoever reads with
/// this version; a snapshot with another version is refused, since its fields may mean something else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OperationContext {
    version: Version,
    /// Unique unless the program gave the id itself.
    pub id: String,
    /// Which attempt at the work with this id it is, from 1.
    pub attempt: u32,
    /// The name that the program gave, if any.
    pub name: Option<String>,
    /// Where it stands.
    pub status: OperationStatus,
    /// When it started, by the wall clock.
    #[serde(with = "serial::time")]
    pub start: SystemTime,
    /// When it ended, by the wall clock.
    #[serde(default, with = "serial::time::option")]
    pub end: Option<SystemTime>,
    /// How long it took, or has taken so far, by the runtime's clock.
    #[serde(rename = "duration_seconds", with = "serial::seconds")]
    pub duration: Duration,
    /// When it was asked to stop, by the wall clock, whether it did or finished anyway.
    #[serde(default, with = "serial::time::option")]
    pub asked_at: Option<SystemTime>,
    /// How long it took to end after it was asked, or has taken so far.
    #[serde(
        rename = "since_asked_seconds",
        default,
        with = "serial::seconds::option"
    )]
    pub since_asked: Option<Duration>,
    /// Why it was asked to stop, whether it did or finished anyway.
    pub cancellation: Option<Cancellation>,
    /// What went wrong, if it failed.
    pub error: Option<String>,
    /// How many finalizers did not run to their end, since no runtime was left that could run them.
    #[serde(default)]
    pub skipped_finalizers: u64,
    /// The latest report of progress.
    pub progress: Option<Progress>,
    /// How many things it does in a second, by its own reports; `None` where none of them counts.
    pub rate: Option<f64>,
    /// How long it has yet to go, by its own reports; `None` where that is unknown, and once it has ended.
    #[serde(
        rename = "time_left_seconds",
        default,
        with = "serial::seconds::option"
    )]
    pub time_left: Option<Duration>,
    /// How many items its streams have delivered.
    #[serde(default)]
    pub items: u64,
    /// Whatever else the program said about it.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// The id of the operation that it runs in.
    pub parent_id: Option<String>,
    /// What whoever made the snapshot keeps with it, such as a handle to an object of another language. It goes along with
    /// clones, and into the history of a registry; it is not written, and nothing here looks into it.
    #[serde(skip)]
    pub attachment: Option<Arc<dyn Any + Send + Sync>>,
}

impl OperationContext {
    /// A snapshot of an operation that has just started.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            version: Version,
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
            attachment: None,
        }
    }
}
