//! [`RetryError`]: which attempts failed, and why there was no other.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use cancelable_core::Cancellation;

use super::failed::{FailedAttempt, Failures};

/// Why attempts at something stopped, none having given a value.
///
/// Its [source](Error::source) is the cancellation where that is why, else what the last attempt failed with.
pub struct RetryError<E> {
    pub(super) stopped: Stopped,
    pub(super) attempts: u32,
    pub(super) failures: Failures<E>,
}

/// Why there was no other attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stopped {
    /// The back-off had no more to give, or [`adjust`](super::Retry::adjust) gave none.
    Exhausted,
    /// [`when`](super::Retry::when) said that another attempt would not help.
    Refused,
    /// The time left cannot pay for another attempt.
    OutOfTime {
        /// The back-off before it, and what an attempt [needs](super::Retry::attempt_needs), together.
        needed: Duration,
        /// The time that was left.
        left: Duration,
    },
    /// The operation was cancelled, or the attempt was, or its error was a cancel.
    Cancelled(Cancellation),
}

impl<E> RetryError<E> {
    /// Why there was no other attempt.
    pub fn stopped(&self) -> &Stopped {
        &self.stopped
    }

    /// The cancellation, where that is why.
    pub fn cancellation(&self) -> Option<&Cancellation> {
        match &self.stopped {
            Stopped::Cancelled(why) => Some(why),
            Stopped::Exhausted | Stopped::Refused | Stopped::OutOfTime { .. } => None,
        }
    }

    /// How many attempts were begun.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The attempts that failed, from the oldest to the newest; of very many the newest 16. One that was dropped because of a
    /// cancel is not among them.
    pub fn failures(&self) -> impl DoubleEndedIterator<Item = &FailedAttempt<E>> {
        self.failures.iter()
    }

    /// What the last attempt that failed did so with; `None` where there was none, or where it ran out of its own time.
    pub fn last(&self) -> Option<&E> {
        self.failures.last()?.error()
    }

    /// The same by value.
    pub fn into_last(self) -> Option<E> {
        self.failures.into_last()?.into_error()
    }
}

/// Of an operation that was cancelled before the attempts could say anything.
impl<E> From<Cancellation> for RetryError<E> {
    fn from(why: Cancellation) -> Self {
        Self {
            stopped: Stopped::Cancelled(why),
            attempts: 0,
            failures: Failures::none(),
        }
    }
}

impl<E> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = Attempts(self.attempts);
        match &self.stopped {
            Stopped::Cancelled(why) if self.attempts == 0 => return write!(f, "{why}"),
            Stopped::Cancelled(why) => return write!(f, "stopped after {attempts}: {why}"),
            Stopped::OutOfTime { needed, left } if self.attempts == 0 => {
                return write!(
                    f,
                    "made no attempt, as one needs {needed:?} with {left:?} left"
                );
            }
            Stopped::OutOfTime { needed, left } => write!(
                f,
                "gave up after {attempts}, as the next needs {needed:?} with {left:?} left"
            )?,
            Stopped::Exhausted => write!(f, "gave up after {attempts}")?,
            Stopped::Refused => write!(f, "gave up after {attempts}, as no other would help")?,
        }
        match self.failures.last() {
            Some(last) => write!(f, ": {last}"),
            None => Ok(()),
        }
    }
}

struct Attempts(u32);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 attempt"),
            n => write!(f, "{n} attempts"),
        }
    }
}

impl<E> fmt::Debug for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryError")
            .field("stopped", &self.stopped)
            .field("attempts", &self.attempts)
            .field("failures", &self.failures.newest)
            .finish()
    }
}

impl<E> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.stopped {
            Stopped::Cancelled(why) => Some(why),
            Stopped::Exhausted | Stopped::Refused | Stopped::OutOfTime { .. } => {
                self.failures.last().map(FailedAttempt::as_error)
            }
        }
    }
}
