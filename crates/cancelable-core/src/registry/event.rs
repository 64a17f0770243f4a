//! What a registry tells whoever listens.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Cancellation, OperationContext, Progress, serial};

/// Something that happened to an operation of a registry.
///
/// Events come in the order in which they were told. What two threads tell at the same moment may come in either order, also
/// what was just before an end and that end.
///
/// As JSON it is one object: the fields of `what` stand beside the others, and `event` says which it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The id of the operation.
    pub id: String,
    /// Which attempt at the work with this id it is.
    pub attempt: u32,
    /// The name of the operation, if it has one and is still there to be asked: what left as it was dropped is not.
    pub name: Option<String>,
    /// When it was told.
    #[serde(with = "serial::time")]
    pub at: SystemTime,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to an operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// It was registered.
    #[non_exhaustive]
    Started {
        /// The id of the operation that it runs in, if any.
        parent_id: Option<String>,
    },
    /// It told how far it has come.
    #[non_exhaustive]
    Progress {
        /// The report.
        progress: Progress,
    },
    /// It was asked to stop; at most once for each operation.
    #[non_exhaustive]
    Asked {
        /// Why.
        cancellation: Cancellation,
    },
    /// It ended; the last event of an operation.
    #[non_exhaustive]
    Ended {
        /// Its last snapshot.
        context: Arc<OperationContext>,
    },
    /// It left without telling how it ended; the last event of an operation.
    Left,
}
