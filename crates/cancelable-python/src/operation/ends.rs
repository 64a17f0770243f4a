//! When an operation's time is up: by its own limit, and by those of what it is cancelled with.

use std::sync::Arc;

use pyo3::prelude::*;

use super::{Delivery, Operation};
use crate::loops::{Home, Timer};

impl Operation {
    /// When its time is up, by the clock of its loop; `None` where nothing limits it, or it does not run.
    pub(super) fn ends_at(&self, py: Python<'_>) -> PyResult<Option<(Home, f64)>> {
        let Some((home, mut ends_at, mut above)) = self.own_end(py) else {
            return Ok(None);
        };
        while let Some(operation) = above {
            let Some((their_home, limit, next)) = operation.get().own_end(py) else {
                break;
            };
            if let Some(limit) = limit {
                let limit = if home.is_same(&their_home) {
                    limit
                } else if let Ok(now) = their_home.time(py) {
                    // Each loop may have a clock of its own.
                    home.time(py)? + (limit - now)
                } else {
                    // That of trio is read on its own thread alone.
                    f64::INFINITY
                };
                ends_at = Some(ends_at.map_or(limit, |at: f64| at.min(limit)));
            }
            above = next;
        }
        Ok(ends_at.map(|at| (home, at)))
    }

    /// Where it runs, when its own limit and its sources end it, and what it is cancelled with.
    fn own_end(&self, py: Python<'_>) -> Option<(Home, Option<f64>, Option<Py<Self>>)> {
        let state = self.state.lock();
        let running = state.running.as_ref()?;
        let parent = running.parent.as_ref().map(|it| it.clone_ref(py));
        Some((running.delivery.home.clone(), running.deadline(), parent))
    }

    /// Has the run be asked to stop so many seconds from now, unless it is before that.
    pub(super) fn arm(
        &self,
        py: Python<'_>,
        delivery: &Arc<Delivery>,
        seconds: f64,
    ) -> PyResult<()> {
        let home = &delivery.home;
        let at = home.time(py)? + seconds;
        {
            let state = self.state.lock();
            let known = state.running.as_ref().and_then(|it| it.limit_at);
            if known.is_some_and(|known| known <= at) {
                return Ok(());
            }
        }
        let timer = Timer::TimeIsUp(Arc::clone(delivery), seconds);
        let armed = home.arm(py, at, timer)?;
        let before = {
            let mut state = self.state.lock();
            match &mut state.running {
                Some(running) => {
                    running.limit_at = Some(at);
                    running.timer.replace(armed)
                }
                None => Some(armed),
            }
        };
        if let Some(before) = before {
            home.disarm(before);
        }
        Ok(())
    }
}
