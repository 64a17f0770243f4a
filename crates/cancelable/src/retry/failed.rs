//! [`FailedAttempt`], and the most recent of them, as many as are kept.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use cancelable_core::Cancellation;

/// An attempt that gave no value.
pub struct FailedAttempt<E> {
    pub(super) number: u32,
    pub(super) took: Duration,
    pub(super) failure: Failure<E>,
    pub(super) as_error: fn(&E) -> &(dyn Error + 'static),
}

/// How an attempt came to nothing.
pub(super) enum Failure<E> {
    Error(E),
    /// It ran out of its own time, and was dropped unless it had an error to give by then.
    TimedOut(Cancellation, Option<E>),
}

impl<E> FailedAttempt<E> {
    /// Which one it was, counted from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How long it took, by the runtime's clock.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// What it failed with; `None` where it ran out of its [own time](super::Retry::attempt_timeout) and was dropped.
    pub fn error(&self) -> Option<&E> {
        match &self.failure {
            Failure::Error(error) => Some(error),
            Failure::TimedOut(_, error) => error.as_ref(),
        }
    }

    /// The same by value.
    pub fn into_error(self) -> Option<E> {
        match self.failure {
            Failure::Error(error) => Some(error),
            Failure::TimedOut(_, error) => error,
        }
    }

    /// Whether it ran out of its [own time](super::Retry::attempt_timeout).
    pub fn timed_out(&self) -> bool {
        matches!(self.failure, Failure::TimedOut(..))
    }

    /// Why there is no value, as an error to be printed or looked into.
    pub(super) fn as_error(&self) -> &(dyn Error + 'static) {
        match &self.failure {
            Failure::Error(error) => (self.as_error)(error),
            Failure::TimedOut(why, _) => why,
        }
    }
}

/// Why there is no value: the error, or that the attempt took too long.
impl<E> fmt::Display for FailedAttempt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_error(), f)
    }
}

impl<E> fmt::Debug for FailedAttempt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailedAttempt")
            .field("number", &self.number)
            .field("took", &self.took)
            .field("error", &self.as_error())
            .finish_non_exhaustive()
    }
}

/// The failed attempts of a retry: all are counted, the newest are kept.
pub(super) struct Failures<E> {
    pub(super) newest: VecDeque<FailedAttempt<E>>,
}

impl<E> Failures<E> {
    pub(super) fn none() -> Self {
        Self {
            newest: VecDeque::new(),
        }
    }

    /// Takes one in, and lends it.
    pub(super) fn push(&mut self, failed: FailedAttempt<E>) -> &FailedAttempt<E> {
        if self.newest.len() == KEPT {
            self.newest.pop_front();
        }
        self.newest.push_back(failed);
        self.last().expect("pushed just now")
    }

    pub(super) fn last(&self) -> Option<&FailedAttempt<E>> {
        self.newest.back()
    }

    pub(super) fn into_last(mut self) -> Option<FailedAttempt<E>> {
        self.newest.pop_back()
    }

    /// From the oldest to the newest.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &FailedAttempt<E>> {
        self.newest.iter()
    }
}

/// A back-off may go on for as long as a program does.
const KEPT: usize = 16;
