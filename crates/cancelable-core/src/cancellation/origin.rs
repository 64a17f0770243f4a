//! What fired, with its data.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Reason;

/// What fired: a [`Reason`] together with the facts that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// Somebody called a `cancel` function, or made the cancellation by hand.
    Caller,
    /// A deadline passed, this long after it was set.
    #[non_exhaustive]
    Timeout {
        /// The time between setting the deadline and the deadline itself.
        #[serde(rename = "after_seconds", with = "crate::serial::seconds")]
        after: Duration,
    },
    /// The process received a signal.
    #[non_exhaustive]
    Signal {
        /// The number of the signal, such as 15 for `SIGTERM`.
        number: i32,
        /// Its name, such as `SIGTERM`.
        name: Cow<'static, str>,
    },
    /// A condition was met.
    #[non_exhaustive]
    Condition {
        /// The name that the condition was given.
        name: String,
    },
    /// What encloses it was cancelled.
    #[non_exhaustive]
    Parent {
        /// The id of the enclosing operation; `None` where the parent is a bare token, which has no id.
        id: Option<String>,
    },
    /// A [`DropGuard`](crate::DropGuard) was dropped, or the future of a running operation was.
    Drop,
}

impl Origin {
    /// A deadline that passed `after` this long.
    pub fn timeout(after: Duration) -> Self {
        Self::Timeout { after }
    }

    /// A signal with its number and name.
    pub fn signal(number: i32, name: impl Into<Cow<'static, str>>) -> Self {
        let name = name.into();
        Self::Signal { number, name }
    }

    /// A condition by its name.
    pub fn condition(name: impl Into<String>) -> Self {
        Self::Condition { name: name.into() }
    }

    /// An enclosing operation by its id.
    pub fn parent(id: impl Into<String>) -> Self {
        Self::Parent {
            id: Some(id.into()),
        }
    }

    /// The reason that goes with this origin.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Caller => Reason::Manual,
            Self::Timeout { .. } => Reason::Timeout,
            Self::Signal { .. } => Reason::Signal,
            Self::Condition { .. } => Reason::Condition,
            Self::Parent { .. } => Reason::Parent,
            Self::Drop => Reason::Dropped,
        }
    }

    /// What there is to say where nobody gave a message.
    pub(super) fn message(&self, reason: Reason) -> Cow<'static, str> {
        Cow::Owned(match self {
            Self::Timeout { after } => format!("timed out after {after:?}"),
            Self::Signal { number, name } => format!("received signal {name} ({number})"),
            Self::Condition { name } => format!("condition '{name}' was met"),
            Self::Parent { id: Some(id) } => format!("parent operation {id} was cancelled"),
            Self::Caller | Self::Parent { id: None } | Self::Drop => {
                return Cow::Borrowed(plain_message(reason));
            }
        })
    }
}

fn plain_message(reason: Reason) -> &'static str {
    match reason {
        Reason::Timeout => "timed out",
        Reason::Manual => "cancelled",
        Reason::Signal => "received a signal",
        Reason::Condition => "a condition was met",
        Reason::Parent => "the parent was cancelled",
        Reason::Error => "cancelled because of an error",
        Reason::Disconnected => "the client has disconnected",
        Reason::Shutdown => "shutting down",
        Reason::Dropped => "dropped before it ended",
    }
}
