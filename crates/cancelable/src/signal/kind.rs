//! The name of one signal that can be listened for.
//!
//! 1. A `Signal` holds a number that [`names::of`] knows, so that no later step can meet one that is forbidden.

use std::fmt;

use super::error::InvalidSignal;
use super::names;

/// A signal that a program can listen for, such as [`Signal::TERMINATE`].
///
/// It prints as its name and number, `SIGTERM (15)`.
///
/// ```
/// use cancelable::Signal;
///
/// assert_eq!(Signal::INTERRUPT.name(), "SIGINT");
/// assert_eq!(Signal::from_raw(15), Ok(Signal::TERMINATE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

impl Signal {
    /// `SIGINT`, what Ctrl-C sends.
    pub const INTERRUPT: Self = Self(2);
    /// `SIGTERM`, by which service managers and `kill` ask a process to end.
    pub const TERMINATE: Self = Self(15);

    /// The signal of this number.
    ///
    /// # Errors
    ///
    /// Refuses what no program can catch (`SIGKILL`, `SIGSTOP`), what tells of a fault in the program itself
    /// (`SIGSEGV`, `SIGBUS`, `SIGILL`, `SIGFPE`), what the C library keeps for itself, and what is no signal on this
    /// system. The message says which, and what to do instead.
    ///
    /// ```
    /// let refused = cancelable::Signal::from_raw(9).unwrap_err();
    /// assert_eq!(
    ///     refused.to_string(),
    ///     "signal 9 (SIGKILL) cannot be caught by any program; listen for SIGTERM (15), which is sent to ask first"
    /// );
    /// ```
    pub fn from_raw(number: i32) -> Result<Self, InvalidSignal> {
        match names::of(number) {
            Ok(_) => Ok(Self(number)),
            Err(why) => Err(InvalidSignal::new(number, why)),
        }
    }

    /// The number that the system gives this signal.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The name as C spells it: `SIGTERM`, or `SIGRTMIN+2` for a real-time signal.
    #[must_use]
    pub fn name(self) -> &'static str {
        names::of(self.0).expect("invariant 1: the number is known")
    }
}

#[cfg(unix)]
impl Signal {
    /// `SIGHUP`: the terminal is gone; to services, reload.
    pub const HANGUP: Self = Self(signal_hook::consts::SIGHUP);
    /// `SIGQUIT`, what Ctrl-\ sends; by default it leaves a core dump.
    pub const QUIT: Self = Self(signal_hook::consts::SIGQUIT);
    /// `SIGUSR1`, free for the program's own use.
    pub const USER1: Self = Self(signal_hook::consts::SIGUSR1);
    /// `SIGUSR2`, free for the program's own use.
    pub const USER2: Self = Self(signal_hook::consts::SIGUSR2);
    /// `SIGALRM`: a timer of `alarm` or `setitimer` has run out.
    pub const ALARM: Self = Self(signal_hook::consts::SIGALRM);
    /// `SIGCHLD`: a child process stopped or ended. Ignored by default.
    pub const CHILD: Self = Self(signal_hook::consts::SIGCHLD);
    /// `SIGCONT`: the process goes on after a stop.
    pub const CONTINUE: Self = Self(signal_hook::consts::SIGCONT);
    /// `SIGPIPE`: nobody reads what was written. Rust programs ignore it from their start.
    pub const PIPE: Self = Self(signal_hook::consts::SIGPIPE);
    /// `SIGTSTP`, what Ctrl-Z sends. By default it stops the process.
    pub const TERMINAL_STOP: Self = Self(signal_hook::consts::SIGTSTP);
    /// `SIGWINCH`: the terminal changed its size. Ignored by default.
    pub const WINDOW_CHANGE: Self = Self(signal_hook::consts::SIGWINCH);
    /// `SIGXCPU`: the limit of processor time is used up.
    pub const CPU_LIMIT: Self = Self(signal_hook::consts::SIGXCPU);
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signal({})", self.name())
    }
}
