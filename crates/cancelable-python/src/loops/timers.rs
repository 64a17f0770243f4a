//! The timers of one loop: any number of deadlines, and one timer of the loop's own for the earliest of them.
//!
//! # Invariants
//!
//! 1. **While there is a deadline, the loop's timer is armed for it or for an earlier moment.** One that comes too early
//!    finds nothing due, and arms anew. So disarming touches the heap alone, and leaves nothing in it.
//! 2. **A timer of the loop is armed only where it is earlier than those that are**: so there are never many.
//! 3. **A loop that drops its last timer has ended**, and with it all deadlines: nothing is kept for it.
//! 4. **No Python code runs under the lock.**

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::Home;
use crate::log;
use crate::operation::Delivery;

/// What happens at a deadline.
pub(crate) enum Timer {
    /// The operation is asked to stop, since its time is up, after so many seconds.
    TimeIsUp(Arc<Delivery>, f64),
    /// Its body has gone on for long enough.
    GraceEnds(Arc<Delivery>),
    /// This is called.
    Call(Py<PyAny>),
}

/// Where a timer stands: its moment, as a number that sorts as the moment does, and which of those that were armed it is.
pub(crate) type TimerKey = (u64, u64);

/// The deadlines of a loop.
#[derive(Default)]
pub(super) struct Timers {
    heap: Mutex<Heap>,
}

#[derive(Default)]
struct Heap {
    timers: BTreeMap<TimerKey, Timer>,
    armed_so_far: u64,
    /// The loop's own timers that are armed.
    alarms: BTreeSet<TimerKey>,
}

impl Heap {
    fn next_key(&mut self, at: f64) -> TimerKey {
        self.armed_so_far += 1;
        (sortable(at), self.armed_so_far)
    }

    /// Notes that the loop is to ring at this moment, unless it does so before.
    fn next_alarm(&mut self, at: f64) -> Option<TimerKey> {
        let first = self.alarms.first();
        if first.is_some_and(|first| moment(first.0) <= at) {
            return None;
        }
        let alarm = self.next_key(at);
        self.alarms.insert(alarm);
        Some(alarm)
    }
}

impl Home {
    /// Has `timer` go off at this moment by the loop's clock. On the loop's thread.
    pub(crate) fn arm(&self, py: Python<'_>, at: f64, timer: Timer) -> PyResult<TimerKey> {
        let (key, alarm) = {
            let mut heap = self.timers().heap.lock();
            let key = heap.next_key(at);
            heap.timers.insert(key, timer);
            (key, heap.next_alarm(at))
        };
        if let Some(alarm) = alarm
            && let Err(error) = self.call_at(py, alarm)
        {
            self.disarm(key);
            return Err(error);
        }
        Ok(key)
    }

    /// Takes a timer back; nothing happens where it has gone off.
    pub(crate) fn disarm(&self, key: TimerKey) {
        let timer = self.timers().heap.lock().timers.remove(&key);
        drop(timer);
    }

    /// Has the loop ring. Where it cannot, the alarm is forgotten as it is dropped.
    fn call_at(&self, py: Python<'_>, key: TimerKey) -> PyResult<()> {
        let home = self.clone();
        let alarm = Bound::new(py, Alarm { home, key })?;
        self.call_python_at(py, moment(key.0), alarm.as_any())
    }

    /// What the loop calls when its timer goes off.
    fn ring(&self, py: Python<'_>, alarm: TimerKey) -> PyResult<()> {
        self.timers().heap.lock().alarms.remove(&alarm);
        let now = self.time(py)?;
        while let Some(timer) = self.timers().take_due(now) {
            if let Err(error) = timer.go_off(py) {
                log::error(py, "a deadline could not be told to its operation", &error);
            }
        }
        let next = {
            let mut heap = self.timers().heap.lock();
            let next = heap.timers.first_key_value().map(|(key, _)| moment(key.0));
            next.and_then(|next| heap.next_alarm(next))
        };
        match next {
            Some(next) => self.call_at(py, next),
            None => Ok(()),
        }
    }
}

impl Timers {
    /// Forgets an alarm that the loop has dropped. What is armed, where that was the last one.
    fn forget(&self, alarm: TimerKey) -> BTreeMap<TimerKey, Timer> {
        let mut heap = self.heap.lock();
        if heap.alarms.remove(&alarm) && heap.alarms.is_empty() {
            std::mem::take(&mut heap.timers)
        } else {
            BTreeMap::new()
        }
    }

    fn take_due(&self, now: f64) -> Option<Timer> {
        let mut heap = self.heap.lock();
        let first = heap.timers.first_entry()?;
        (moment(first.key().0) <= now).then(|| first.remove())
    }
}

impl Timer {
    fn go_off(self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::TimeIsUp(delivery, after) => {
                delivery.time_is_up(after);
                Ok(())
            }
            Self::GraceEnds(delivery) => delivery.cancel_scope(py),
            Self::Call(called) => called.call0(py).map(drop),
        }
    }
}

/// Has `called`, a callable without arguments, called at this moment by the clock of the loop that runs on this thread.
#[pyfunction]
pub(crate) fn call_at(py: Python<'_>, at: f64, called: Py<PyAny>) -> PyResult<Armed> {
    let home = Home::current(py)?.ok_or_else(|| {
        PyRuntimeError::new_err(
            "no event loop runs here: start what has a time limit in a coroutine",
        )
    })?;
    let key = home.arm(py, at, Timer::Call(called))?;
    Ok(Armed { home, key })
}

/// A timer that was armed for a callable.
#[pyclass(frozen, module = "hother.cancelable._core")]
pub(crate) struct Armed {
    home: Home,
    key: TimerKey,
}

#[pymethods]
impl Armed {
    /// Takes it back; nothing happens where it has gone off.
    fn close(&self) {
        self.home.disarm(self.key);
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let armed = self.heap.lock().timers.len();
        f.debug_struct("Timers").field("armed", &armed).finish()
    }
}

/// What a loop's own timer calls.
#[pyclass(frozen, module = "hother.cancelable._core")]
pub(super) struct Alarm {
    home: Home,
    key: TimerKey,
}

#[pymethods]
impl Alarm {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.home.ring(py, self.key)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        drop(self.home.timers().forget(self.key));
    }
}

/// Non-negative floats sort as their bits do.
fn sortable(at: f64) -> u64 {
    at.max(0.0).to_bits()
}

fn moment(bits: u64) -> f64 {
    f64::from_bits(bits)
}
