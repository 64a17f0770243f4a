//! [`Statistics`], the figures of a registry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counts::{Active, Counts, Ended};
use super::durations::{Durations, Recorded};
use crate::Reason;

/// How many operations there have been and where they stand, and how long they took.
///
/// The counts are all of one moment, that of the history too: `started` is the sum of `active` and `ended`. The durations are read a little
/// later; each operation that is counted as ended is among them, unless it left without telling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Statistics {
    /// How many were registered.
    pub started: u64,
    /// Those that are live.
    pub active: Active,
    /// Those that are over.
    pub ended: Ended,
    /// Why those that ended had been asked to stop, as far as they had; also those that finished anyway.
    pub reasons: BTreeMap<Reason, u64>,
    /// How many are in the history.
    pub history: u64,
    /// How long all that ended took.
    pub durations: Durations,
    /// How long those took that had a name: the first 256 names, of up to 256 bytes, are told apart.
    pub durations_by_name: BTreeMap<String, Durations>,
    /// How long those with any other name took, together.
    pub durations_of_other_names: Durations,
    /// How long those without a name took.
    pub durations_of_unnamed: Durations,
    /// How long it took from the ask to the end, for those that were asked to stop.
    pub after_ask: Durations,
}

impl Statistics {
    pub(super) fn new(counts: Counts, history: u64, recorded: Recorded) -> Self {
        Self {
            started: counts.started,
            active: counts.active,
            ended: counts.ended,
            reasons: counts.reasons,
            history,
            durations: recorded.all,
            durations_by_name: recorded.by_name,
            durations_of_other_names: recorded.others,
            durations_of_unnamed: recorded.unnamed,
            after_ask: recorded.after_ask,
        }
    }
}
