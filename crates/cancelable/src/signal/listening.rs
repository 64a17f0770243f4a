//! The guard of one who listens for a signal.

use std::io::Write;
use std::sync::Once;
use std::{fmt, io};

#[cfg(windows)]
use super::console as mechanism;
use super::kind::Signal;

/// What is called for each delivery.
pub(super) type Callback = dyn Fn(Signal) + Send + Sync;

/// Listens for a signal until the guard is dropped. Needs no runtime.
///
/// The callback runs on the thread `cancelable-signals`, once for each delivery that comes from now on. Every listener
/// of the process shares that thread, so be brief. What it panics with is caught and logged.
///
/// # Errors
///
/// Those of the system when it has no thread, file or handler left to give; always where there are no signals, with
/// [`io::ErrorKind::Unsupported`]. The default action is as it was.
pub(crate) fn listen(
    signal: Signal,
    callback: impl Fn(Signal) + Send + Sync + 'static,
) -> io::Result<Listening> {
    Ok(Listening(mechanism::Seat::take(signal, callback)?))
}

/// Says on standard error, once for the process, what a second signal does while work that heard the first is ending.
pub(crate) fn say_that_the_next_one_ends_the_process() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        // There may be nobody to read it, which must not stop the stopping.
        let _ = writeln!(
            io::stderr(),
            "stopping; a second signal ends the process at once, without finalizers"
        );
    });
}

/// Ends the listening that a `fork` copied into a child process, and gives the child its default actions back. For
/// hooks that run in the child, before it starts threads; does nothing in a process that was not forked.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "for bindings to languages whose programs fork")
)]
pub(crate) fn after_fork() {
    mechanism::after_fork();
}

/// Somebody listens for a signal as long as this lives.
///
/// Dropped, it stops listening without waiting: no call of the callback begins any more, one that has begun goes on.
/// The callback itself is dropped here, or by that call. With the last guard of a signal the default action is back.
#[must_use = "dropped, it listens no more"]
pub(crate) struct Listening(mechanism::Seat);

impl Listening {
    /// Gives the default action back as far as this listener is concerned, which goes on listening. For the time
    /// between a signal and the end that it asked for: when nobody holds it back any more, a second signal is not
    /// heard but ends the process. A host's handler is unaffected, and with one the second signal is heard like the
    /// first.
    pub(crate) fn stop_holding_back(&self) {
        self.0.stop_holding_back();
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listening").field(&self.0.signal()).finish()
    }
}

#[cfg(unix)]
mod mechanism {
    use std::sync::Arc;

    use super::super::board::Board;
    use super::super::error::ListenError;
    use super::Signal;

    /// A place on the board of the process that took it.
    pub(super) struct Seat {
        board: &'static Board,
        signal: Signal,
        number: u64,
    }

    impl Seat {
        pub(super) fn take(
            signal: Signal,
            callback: impl Fn(Signal) + Send + Sync + 'static,
        ) -> Result<Self, ListenError> {
            let board = Board::current();
            let number = board.join(signal, Arc::new(callback))?;
            Ok(Self {
                board,
                signal,
                number,
            })
        }

        pub(super) fn signal(&self) -> Signal {
            self.signal
        }

        pub(super) fn stop_holding_back(&self) {
            if self.board.is_current() {
                self.board.let_go(self.signal, self.number);
            }
        }
    }

    impl Drop for Seat {
        fn drop(&mut self) {
            if self.board.is_current() {
                self.board.leave(self.signal, self.number);
            } else {
                after_fork();
            }
        }
    }

    pub(super) fn after_fork() {
        Board::current();
    }
}

#[cfg(not(any(unix, windows)))]
mod mechanism {
    use std::convert::Infallible;
    use std::io;

    use super::super::error::{ListenError, Step};
    use super::Signal;

    /// There is none to take.
    pub(super) struct Seat(Infallible);

    impl Seat {
        pub(super) fn take(
            signal: Signal,
            _: impl Fn(Signal) + Send + Sync + 'static,
        ) -> Result<Self, ListenError> {
            let cause = io::ErrorKind::Unsupported.into();
            Err(ListenError {
                signal,
                step: Step::Platform,
                cause,
            })
        }

        pub(super) fn signal(&self) -> Signal {
            match self.0 {}
        }

        pub(super) fn stop_holding_back(&self) {
            match self.0 {}
        }
    }

    pub(super) fn after_fork() {}
}
