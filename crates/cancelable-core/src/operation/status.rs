//! Where an operation stands.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an operation stands: `Pending`, then `Running`, perhaps `Cancelling`, then exactly one of the last three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OperationStatus {
    /// Made and not started.
    #[default]
    Pending,
    /// At work.
    Running,
    /// Asked to stop, and still at work.
    Cancelling,
    /// Ended with a value, also where a cancel came too late to matter.
    Completed,
    /// Ended by a cancel; a timeout is one.
    Cancelled,
    /// Ended by an error or a panic, with no cancel before it.
    Failed,
}

impl OperationStatus {
    /// Whether it has ended: a terminal status never changes.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Cancelling => false,
            Self::Completed | Self::Cancelled | Self::Failed => true,
        }
    }

    /// The status as one lower-case word, as logs and snapshots write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for OperationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
