//! [`Report`], what came of a shutdown.

use std::fmt;
use std::time::Duration;

use cancelable::OperationContext;

/// What came of a shutdown: how many were asked to stop, how long that took, and who is still running.
///
/// Written, it is for people: `4 operations were asked to stop; after 15s still running: import (a2f0…, for 61s)`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    asked: usize,
    took: Duration,
    still_running: Vec<OperationContext>,
}

impl Report {
    pub(super) fn new(asked: usize, took: Duration, still_running: Vec<OperationContext>) -> Self {
        Self {
            asked,
            took,
            still_running,
        }
    }

    /// How many operations were running as it began, and were asked to stop.
    pub fn asked(&self) -> usize {
        self.asked
    }

    /// How long after its beginning the last of them had ended, or was given up on.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Whether all have ended.
    pub fn is_clean(&self) -> bool {
        self.still_running.is_empty()
    }

    /// Those that have not ended: threads that do not listen, shields and finalizers that take longer, futures that nobody polls.
    pub fn still_running(&self) -> &[OperationContext] {
        &self.still_running
    }

    /// One warning for each that is left, of the first hundred.
    pub(super) fn warn(&self) {
        for operation in self.still_running.iter().take(WARNINGS) {
            tracing::warn!(
                id = %operation.id,
                name = operation.name.as_deref(),
                status = %operation.status,
                running_for = ?operation.duration,
                "still running at the end of the shutdown"
            );
        }
        if !self.is_clean() {
            tracing::warn!(
                count = self.still_running.len(),
                "operations are still running at the end of the shutdown"
            );
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (asked, took) = (self.asked, self.took);
        let were = if asked == 1 {
            "operation was"
        } else {
            "operations were"
        };
        write!(f, "{asked} {were} asked to stop")?;
        if self.is_clean() {
            return write!(f, "; none is left after {took:?}");
        }
        write!(f, "; after {took:?} still running: ")?;
        for (place, operation) in self.still_running.iter().take(WARNINGS).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let name = operation.name.as_deref().unwrap_or("an operation");
            let age = operation.duration;
            write!(f, "{comma}{name} ({}, for {age:?})", operation.id)?;
        }
        match self.still_running.len().saturating_sub(WARNINGS) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// How many are named one by one where people read.
const WARNINGS: usize = 100;
