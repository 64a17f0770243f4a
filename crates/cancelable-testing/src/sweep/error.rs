//! [`SweepError`], what a sweep has found.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::driver::Fault;
use super::way::{Spot, Way};

/// What a [`Sweep`](crate::Sweep) has found: at which await, what was done there, and what is wrong.
#[derive(Clone, Debug)]
pub struct SweepError {
    pub(super) spot: Spot,
    pub(super) problem: Problem,
    /// Where in the source the future waits there.
    pub(super) place: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// The check failed, and said this.
    Broken(String),
    /// The future did.
    Fault(Fault),
    TasksLeft {
        tasks: usize,
        patience: Duration,
    },
    /// It was ready at its first poll.
    NoAwait,
    /// It gave way so often and has not ended.
    Endless(usize),
    /// How often it gave way in two runs that should have been the same.
    Varies(usize, usize),
    /// It gave way only so often, where before it came to this await.
    EndedBefore(usize),
    /// The future has no token that could be cancelled.
    NoToken,
}

impl SweepError {
    /// What was done to the future.
    pub fn way(&self) -> Way {
        self.spot.way
    }

    /// At which of its awaits, from 1; 0 is before its first poll, and so is that of one that was left alone.
    pub fn at(&self) -> usize {
        self.spot.at
    }

    /// Where in the source that await is, or the last that it came to if it was left alone: `./src/bank.rs:14:19`; up to three
    /// places where it waits for several things at once.
    ///
    /// `None` before the first poll, where the program has no line tables, and where none of the user's own code waits.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// The await that is to be found in the source, if it is one that does so each time.
    pub(super) fn await_to_find(&self) -> usize {
        match self.problem {
            Problem::Broken(_) | Problem::TasksLeft { .. } => self.spot.at,
            // Left alone, it is at the last that it came to.
            Problem::Fault(Fault::Stuck(_)) if self.spot.way == Way::LeftAlone => self.spot.of,
            Problem::Fault(_) => self.spot.at,
            Problem::Endless(_)
            | Problem::NoAwait
            | Problem::Varies(..)
            | Problem::EndedBefore(_)
            | Problem::NoToken => 0,
        }
    }

    /// Whether it is the check that failed.
    pub fn is_broken_invariant(&self) -> bool {
        matches!(self.problem, Problem::Broken(_))
    }

    /// Whether the future panicked.
    pub fn is_panic(&self) -> bool {
        let Problem::Fault(fault) = &self.problem else {
            return false;
        };
        matches!(fault, Fault::Panicked(_) | Fault::PanickedAsDropped(_))
    }

    /// Whether the future was not woken any more, or went on for ever.
    pub fn is_endless(&self) -> bool {
        matches!(
            self.problem,
            Problem::Endless(_) | Problem::Fault(Fault::Stuck(_))
        )
    }

    /// Whether it left tasks behind.
    pub fn is_leak(&self) -> bool {
        matches!(self.problem, Problem::TasksLeft { .. })
    }

    /// Whether the future is not the same in every run.
    pub fn is_nondeterminism(&self) -> bool {
        matches!(self.problem, Problem::Varies(..) | Problem::EndedBefore(_))
    }
}

impl fmt::Display for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.spot)?;
        self.problem.fmt(f)?;
        match &self.place {
            Some(place) => write!(f, "\nawait {} is at {place}", self.await_to_find()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(said) => write!(f, "the check failed: {said}"),
            Self::Fault(Fault::Panicked(said)) => write!(f, "the future panicked: {said}"),
            Self::Fault(Fault::PanickedAsDropped(said)) => {
                write!(f, "the future panicked as it was dropped: {said}")
            }
            Self::Fault(Fault::Stuck(patience)) => write!(
                f,
                "for {patience:?} nothing has woken it: a wake-up is lost, or it waits for what this test never does; \
                 `patience` says how long to wait"
            ),
            Self::TasksLeft { tasks, patience } => write!(
                f,
                "{tasks} more {} than before, {patience:?} after the future was gone: spawn them by \
                 `Operation::spawn`, or abort them; `leave_tasks` does not ask after them",
                if *tasks == 1 { "task runs" } else { "tasks run" }
            ),
            Self::NoAwait => f.write_str(
                "the future was ready at its first poll: there is no await to cancel it at, and nothing is tested",
            ),
            Self::Endless(awaits) => write!(
                f,
                "it gave way {awaits} times and has not ended; `at_most` sweeps the first awaits of one that has no end"
            ),
            Self::Varies(first, second) => {
                write!(f, "it gave way {first} times, and {second} the next time: {VARIES}")
            }
            Self::EndedBefore(awaits) => {
                write!(f, "it ended before that, having given way {awaits} times: {VARIES}")
            }
            Self::NoToken => f.write_str(
                "the future was given no token: sweep it by `run_with_token`, or leave out `Way::TokenCancelled`",
            ),
        }
    }
}

impl Error for SweepError {}

const VARIES: &str = "awaits have numbers only where every run is the same; start from a fresh state, pause the clock, use one \
     thread, and leave chance out";
