//! How long a body may go on once it is asked to stop: for some reasons so long, for all others so long.

use std::sync::Arc;

use cancelable_core::Reason;
use parking_lot::Mutex;
use pyo3::prelude::*;

use super::Operation;
use crate::loops::TimerKey;
use crate::reason;

/// In seconds; `None` where there is no grace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graces {
    otherwise: Option<f64>,
    on: Vec<(Reason, f64)>,
}

impl Graces {
    fn set_on(&mut self, reason: Reason, seconds: f64) {
        match self.on.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, before)) => *before = seconds,
            None => self.on.push((reason, seconds)),
        }
    }

    /// The grace after an ask that began with this reason.
    pub(super) fn after(&self, reason: Reason) -> Option<f64> {
        let said = self.on.iter().find(|(other, _)| *other == reason);
        said.map_or(self.otherwise, |(_, seconds)| Some(*seconds))
    }
}

/// Those of a run, and the timer of the one that is under way.
#[derive(Debug, Default)]
pub(crate) struct Grace {
    pub(super) graces: Mutex<Option<Box<Graces>>>,
    pub(super) timer: Mutex<Option<TimerKey>>,
}

impl Operation {
    /// Notes a grace, one for this reason, where one is said; an operation that runs has it from now on.
    pub(super) fn set_grace(
        &self,
        seconds: f64,
        reason: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let reason = reason.map(reason::from_python).transpose()?;
        let set = |graces: &mut Graces| match reason {
            Some(reason) => graces.set_on(reason, seconds),
            None => graces.otherwise = Some(seconds),
        };
        let running = {
            let mut state = self.state.lock();
            set(state.graces.get_or_insert_default());
            state.running.as_ref().map(|it| Arc::clone(&it.delivery))
        };
        if let Some(delivery) = running {
            set(delivery.grace.graces.lock().get_or_insert_default());
        }
        Ok(())
    }

    /// How long its body may go on after an ask for this reason; without one, after the ask that came.
    pub(super) fn grace_after(&self, reason: Option<&Bound<'_, PyAny>>) -> PyResult<Option<f64>> {
        let reason = match reason {
            Some(reason) => reason::from_python(reason)?,
            None => match self.record().asked() {
                Some(why) => why.original().reason(),
                None => return Ok(None),
            },
        };
        let state = self.state.lock();
        Ok(state.graces.as_ref().and_then(|it| it.after(reason)))
    }
}
