//! How many operations stand where, as plain numbers under the lock of whoever keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{OperationContext, OperationStatus, Reason};

/// How many operations there have been, and where they stand: `started` is always the sum of `active` and `ended`.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) started: u64,
    pub(super) active: Active,
    pub(super) ended: Ended,
    pub(super) reasons: BTreeMap<Reason, u64>,
}

/// Live operations by the status that they told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Active {
    /// Registered and not started.
    pub pending: u64,
    /// At work.
    pub running: u64,
    /// Asked to stop, and still at work.
    pub cancelling: u64,
}

/// Operations that are over, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ended {
    /// Ended with a value.
    pub completed: u64,
    /// Ended by a cancel.
    pub cancelled: u64,
    /// Ended by an error or a panic.
    pub failed: u64,
    /// Left without telling how they ended; these are not in the history.
    pub untold: u64,
}

impl Active {
    /// How many are live.
    pub fn total(&self) -> u64 {
        self.pending + self.running + self.cancelling
    }

    pub(super) fn of(&mut self, status: OperationStatus) -> &mut u64 {
        match status {
            OperationStatus::Pending => &mut self.pending,
            OperationStatus::Cancelling => &mut self.cancelling,
            OperationStatus::Running
            | OperationStatus::Completed
            | OperationStatus::Cancelled
            | OperationStatus::Failed => &mut self.running,
        }
    }
}

impl Ended {
    /// How many are over.
    pub fn total(&self) -> u64 {
        self.completed + self.cancelled + self.failed + self.untold
    }
}

impl Counts {
    pub(super) fn start(&mut self, status: OperationStatus) {
        self.started += 1;
        *self.active.of(status) += 1;
    }

    pub(super) fn change(&mut self, from: OperationStatus, to: OperationStatus) {
        *self.active.of(from) -= 1;
        *self.active.of(to) += 1;
    }

    /// Counts one that is over; with its last snapshot, unless it left without one.
    pub(super) fn end(&mut self, from: OperationStatus, context: Option<&OperationContext>) {
        *self.active.of(from) -= 1;
        let ended = &mut self.ended;
        *match context.map(|context| context.status) {
            Some(OperationStatus::Completed) => &mut ended.completed,
            Some(OperationStatus::Cancelled) => &mut ended.cancelled,
            Some(OperationStatus::Failed) => &mut ended.failed,
            Some(
                OperationStatus::Pending | OperationStatus::Running | OperationStatus::Cancelling,
            )
            | None => &mut ended.untold,
        } += 1;
        if let Some(why) = context.and_then(|context| context.cancellation.as_ref()) {
            *self.reasons.entry(why.reason()).or_default() += 1;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.started += other.started;
        self.active.pending += other.active.pending;
        self.active.running += other.active.running;
        self.active.cancelling += other.active.cancelling;
        self.ended.completed += other.ended.completed;
        self.ended.cancelled += other.ended.cancelled;
        self.ended.failed += other.ended.failed;
        self.ended.untold += other.ended.untold;
        for (&reason, count) in &other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }
}
