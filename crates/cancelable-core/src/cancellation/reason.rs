//! The kinds of reason that a cancellation can have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why something was cancelled, as a word to branch on.
///
/// [`Origin`](crate::Origin) says the same with its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A deadline passed.
    Timeout,
    /// Somebody asked for it.
    Manual,
    /// The process received a signal.
    Signal,
    /// A condition was met.
    Condition,
    /// What encloses it was cancelled; [`Cancellation::cause`](crate::Cancellation::cause) tells why that was.
    Parent,
    /// Something that it depends on failed.
    Error,
    /// The client that wanted the result has gone away.
    Disconnected,
    /// The program is about to stop.
    Shutdown,
    /// Whoever drove the work dropped it.
    Dropped,
}

impl Reason {
    /// Every reason that there is, so that a front end can match its own words with them.
    pub const ALL: &[Self] = &[
        Self::Timeout,
        Self::Manual,
        Self::Signal,
        Self::Condition,
        Self::Parent,
        Self::Error,
        Self::Disconnected,
        Self::Shutdown,
        Self::Dropped,
    ];

    /// The reason as one lower-case word, as logs and snapshots write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Manual => "manual",
            Self::Signal => "signal",
            Self::Condition => "condition",
            Self::Parent => "parent",
            Self::Error => "error",
            Self::Disconnected => "disconnected",
            Self::Shutdown => "shutdown",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
