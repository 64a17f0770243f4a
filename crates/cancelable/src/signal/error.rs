//! What can go wrong before a signal is listened for.

use std::error::Error;
use std::{fmt, io};

use super::kind::Signal;
use super::names::{self, Unfit};

/// A number that is no signal that a program can listen for; from [`Signal::from_raw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSignal {
    number: i32,
    why: Unfit,
}

impl InvalidSignal {
    pub(super) fn new(number: i32, why: Unfit) -> Self {
        Self { number, why }
    }

    /// The number that was refused.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.number
    }
}

impl fmt::Display for InvalidSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, why } = *self;
        write!(f, "signal {number} ")?;
        if let Some(name) = names::unfit(number) {
            write!(f, "({name}) ")?;
        }
        f.write_str(match why {
            Unfit::Unknown => {
                "is not known on this system; `kill -l` lists the numbers, `Signal` has constants for the common ones"
            }
            Unfit::Uncatchable => {
                "cannot be caught by any program; listen for SIGTERM (15), which is sent to ask first"
            }
            Unfit::Fault => {
                "reports a fault of the program itself, from which it cannot go on; mend the fault, and listen for \
                 SIGTERM (15) or SIGINT (2) to be asked to end"
            }
            Unfit::Reserved => "is kept by the C library for itself; use a real-time signal from SIGRTMIN on",
        })
    }
}

impl Error for InvalidSignal {}

/// Why a signal is not listened for, with the step that failed; travels as the inside of an [`io::Error`].
#[derive(Debug)]
pub(super) struct ListenError {
    pub(super) signal: Signal,
    pub(super) step: Step,
    pub(super) cause: io::Error,
}

/// What was being done when listening failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The pipe by which handlers wake the thread.
    #[cfg(unix)]
    Pipe,
    /// The thread that tells listeners.
    #[cfg(unix)]
    Thread,
    /// The handler of the signal.
    #[cfg(any(unix, windows))]
    Handler,
    /// Signals as such.
    #[cfg(not(any(unix, windows)))]
    Platform,
}

impl From<ListenError> for io::Error {
    fn from(error: ListenError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            #[cfg(unix)]
            Step::Pipe => "opening the pipe that its handler writes to",
            #[cfg(unix)]
            Step::Thread => "starting the thread that tells of it",
            #[cfg(any(unix, windows))]
            Step::Handler => "installing its handler",
            #[cfg(not(any(unix, windows)))]
            Step::Platform => "asking for signals on this system",
        };
        write!(
            f,
            "could not listen for {}: {step}: {}",
            self.signal, self.cause
        )
    }
}

impl Error for ListenError {}
