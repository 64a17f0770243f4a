//! What the timer's rooms ask of the machine: the time, a sleep that can be cut short, and threads.

use std::io;
use std::thread;
use std::time::Instant;

use parking_lot::{Condvar, MutexGuard};

/// The seam at which tests put a clock that they move by hand, or a machine that has no more threads to give.
pub(crate) trait Host: Send + Sync + 'static {
    /// The monotonic time.
    fn now(&self) -> Instant;

    /// Gives up the lock and sleeps until `changed` is notified or `until` has come; for good if there is no `until`.
    ///
    /// It may return too soon; the caller asks the clock and its own state again.
    fn sleep<S>(&self, changed: &Condvar, lock: &mut MutexGuard<'_, S>, until: Option<Instant>);

    /// Starts a thread that nobody joins.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give; `body` has been dropped then.
    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()>;
}

/// The machine itself.
#[derive(Debug)]
pub(crate) struct SystemHost;

impl Host for SystemHost {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep<S>(&self, changed: &Condvar, lock: &mut MutexGuard<'_, S>, until: Option<Instant>) {
        match until {
            Some(until) => {
                changed.wait_until(lock, until);
            }
            None => changed.wait(lock),
        }
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map(drop)
    }
}
