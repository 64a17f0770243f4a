//! [`Way`] and [`Cut`]: what was done to a future, at which of its awaits, and what came of it.

use std::fmt;
use std::time::Duration;

use cancelable::Cancellation;

/// What a [`Sweep`](crate::Sweep) does to a future at one of its awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// Nothing: the future runs to its end.
    LeftAlone,
    /// It is dropped as soon as it has given way.
    Dropped,
    /// It is dropped when what it waited for has come, and before it is polled again: what was handed to it meanwhile, an item
    /// or a permit, goes with it.
    DroppedWoken,
    /// It is the body of an operation, and that is cancelled: it is polled once more, and dropped if it is still pending.
    Cancelled,
    /// The same, and it has so long to finish by itself.
    CancelledInGrace(Duration),
    /// It is a shielded section of an operation, and that is cancelled: the section is to run to its end.
    CancelledInShield,
    /// The token that it was given is cancelled, and it is left to end by itself.
    TokenCancelled,
}

impl Way {
    /// Whether the future is run in an operation.
    pub(super) fn is_in_operation(self) -> bool {
        match self {
            Self::LeftAlone | Self::Dropped | Self::DroppedWoken | Self::TokenCancelled => false,
            Self::Cancelled | Self::CancelledInGrace(_) | Self::CancelledInShield => true,
        }
    }

    /// The first await at which there is something to do; 0 is before the first poll.
    pub(super) fn first(self) -> usize {
        match self {
            // Nobody waits yet for anything to come.
            Self::DroppedWoken => 1,
            _ => 0,
        }
    }
}

/// As it reads before "at await 3 of 7".
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftAlone => f.write_str("left alone"),
            Self::Dropped => f.write_str("dropped"),
            Self::DroppedWoken => f.write_str("dropped on being woken"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::CancelledInGrace(grace) => write!(f, "cancelled with a grace of {grace:?}"),
            Self::CancelledInShield => f.write_str("cancelled in a shield"),
            Self::TokenCancelled => f.write_str("its token cancelled"),
        }
    }
}

/// Where in a sweep something was done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) way: Way,
    pub(super) at: usize,
    pub(super) of: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, at, of } = self;
        match (way, at) {
            (Way::LeftAlone, _) => write!(f, "{way}"),
            (_, 0) => write!(f, "{way} before the first poll"),
            _ => write!(f, "{way} at await {at} of {of}"),
        }
    }
}

/// One run of a sweep, for whoever checks what it left: what was done, at which await, and what came of it.
///
/// It prints as `dropped at await 3 of 7`.
#[derive(Clone, Debug)]
pub struct Cut<T> {
    pub(super) spot: Spot,
    /// `None` where the future was dropped.
    pub(super) outcome: Option<Outcome<T>>,
}

/// How a future that was not dropped by the sweep itself ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome<T> {
    Value(T),
    /// Its operation was cancelled, and dropped it.
    Cancelled(Cancellation),
}

impl<T> Cut<T> {
    /// What was done.
    pub fn way(&self) -> Way {
        self.spot.way
    }

    /// At which of its awaits, from 1; 0 is before its first poll, and so is that of one that was left alone.
    pub fn at(&self) -> usize {
        self.spot.at
    }

    /// How many awaits there are.
    pub fn awaits(&self) -> usize {
        self.spot.of
    }

    /// What the future returned; `None` if it did not come to that. A shielded section has its value here, though the
    /// operation around it was cancelled.
    pub fn value(&self) -> Option<&T> {
        match &self.outcome {
            Some(Outcome::Value(value)) => Some(value),
            Some(Outcome::Cancelled(_)) | None => None,
        }
    }

    /// Why the operation that it was the body of dropped it; `None` if it was not dropped by one.
    pub fn cancellation(&self) -> Option<&Cancellation> {
        match &self.outcome {
            Some(Outcome::Cancelled(why)) => Some(why),
            Some(Outcome::Value(_)) | None => None,
        }
    }
}

impl<T> fmt::Display for Cut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spot.fmt(f)
    }
}
