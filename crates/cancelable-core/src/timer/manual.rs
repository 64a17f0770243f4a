//! A machine for tests: its clock is moved by hand, and it can run out of threads.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::host::Host;

/// Time stands still until [`advance`](Self::advance); who sleeps on it sleeps until notified.
pub(crate) struct ManualHost {
    state: Mutex<State>,
    slept: Condvar,
}

struct State {
    now: Instant,
    /// Until when each sleep was to last; `None` is for good.
    sleeps: Vec<Option<Instant>>,
    refuses_threads: bool,
}

impl ManualHost {
    pub(crate) fn new() -> Self {
        let state = State {
            now: Instant::now(),
            sleeps: Vec::new(),
            refuses_threads: false,
        };
        Self {
            state: Mutex::new(state),
            slept: Condvar::new(),
        }
    }

    /// Moves the clock; whoever sleeps has to be notified by the caller.
    pub(crate) fn advance(&self, by: Duration) {
        self.state.lock().now += by;
    }

    pub(crate) fn refuse_threads(&self, refuses: bool) {
        self.state.lock().refuses_threads = refuses;
    }

    pub(crate) fn sleeps(&self) -> usize {
        self.state.lock().sleeps.len()
    }

    /// Waits for the sleep after the first `seen`, and says until when it is to last.
    pub(crate) fn sleep_after(&self, seen: usize) -> Option<Instant> {
        let mut state = self.state.lock();
        let stale = |state: &mut State| state.sleeps.len() <= seen;
        let waited = self.slept.wait_while_for(&mut state, stale, PATIENCE);
        assert!(!waited.timed_out(), "nobody sleeps");
        *state.sleeps.last().expect("more than `seen` sleeps")
    }
}

impl Host for ManualHost {
    fn now(&self) -> Instant {
        self.state.lock().now
    }

    fn sleep<S>(&self, changed: &Condvar, lock: &mut MutexGuard<'_, S>, until: Option<Instant>) {
        self.state.lock().sleeps.push(until);
        self.slept.notify_all();
        changed.wait(lock);
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        if self.state.lock().refuses_threads {
            return Err(io::Error::other("no more threads"));
        }
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map(drop)
    }
}

/// Far longer than any wait takes, so that one which is in vain fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
