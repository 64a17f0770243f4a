//! How long a body may go on once it is asked to stop: for some reasons so long, for all others so long.

use std::time::Duration;

use cancelable_core::{Cancellation, Reason};

/// `None` where there is no grace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graces {
    otherwise: Option<Duration>,
    on: Vec<(Reason, Duration)>,
}

impl Graces {
    pub(crate) fn is_none(&self) -> bool {
        self.otherwise.is_none() && self.on.is_empty()
    }

    pub(crate) fn set(&mut self, grace: Duration) {
        self.otherwise = Some(grace);
    }

    pub(crate) fn set_on(&mut self, reason: Reason, grace: Duration) {
        self.on.retain(|(other, _)| *other != reason);
        self.on.push((reason, grace));
    }

    /// The grace after an ask for this cause.
    pub(crate) fn after(&self, why: &Cancellation) -> Option<Duration> {
        if self.on.is_empty() {
            return self.otherwise;
        }
        let reason = why.original().reason();
        let mut on = self.on.iter();
        match on.find(|(other, _)| *other == reason) {
            Some((_, grace)) => Some(*grace),
            None => self.otherwise,
        }
    }
}
