//! How long a body may go on once it is asked to stop: for some reasons so long, for all others so long.

use std::time::Duration;

use cancelable_core::{Cancellation, Reason};

/// `None` where there is no grace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graces {
    otherwise: Option<Duration>,
    /// Those that were said first; few operations have more.
    on: [Option<(Reason, Duration)>; 2],
    further: Vec<(Reason, Duration)>,
}

impl Graces {
    pub(crate) fn is_none(&self) -> bool {
        self.otherwise.is_none() && self.on[0].is_none()
    }

    pub(crate) fn set(&mut self, grace: Duration) {
        self.otherwise = Some(grace);
    }

    pub(crate) fn set_on(&mut self, reason: Reason, grace: Duration) {
        let said = self.on.iter_mut().flatten().chain(&mut self.further);
        for (other, before) in said {
            if *other == reason {
                *before = grace;
                return;
            }
        }
        match self.on.iter_mut().find(|on| on.is_none()) {
            Some(free) => *free = Some((reason, grace)),
            None => self.further.push((reason, grace)),
        }
    }

    /// The grace after an ask for this cause.
    pub(crate) fn after(&self, why: &Cancellation) -> Option<Duration> {
        if self.on[0].is_none() {
            return self.otherwise;
        }
        let reason = why.original().reason();
        let mut on = self.on.iter().flatten().chain(&self.further);
        match on.find(|(other, _)| *other == reason) {
            Some((_, grace)) => Some(*grace),
            None => self.otherwise,
        }
    }
}
