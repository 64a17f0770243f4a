//! Listening for signals with no runtime: one thread for the process, woken by the signal, never by a clock.
//!
//! `kind` names the signals, `before` reads what the host did with one, `line` is the half of a signal that its
//! handler touches, `board` the half that listeners and the thread touch, `listening` the guard. `console` is all of that
//! for Windows, where what is promised below holds as far as that room says.
//!
//! # What is promised
//!
//! - Whoever listens hears each delivery that comes while it listens, on the thread `cancelable-signals`, outside
//!   every lock. Deliveries that come faster than they can be told are told as one, as the kernel does.
//! - What the host had installed before is called as before, all the time.
//! - The default action is held back only while somebody holds it back. With the last gone it is back: the process
//!   dies *of that signal*.
//! - No delivery is swallowed. One that came while somebody listened, who was gone before it could be told, is told to
//!   those that listen by then, and where there are none it takes its default action. Otherwise a listener never
//!   hears what came before it.
//! - A signal that was ignored before (`nohup`) or that had a handler gets no default action from here, ever. Nor does
//!   one in the first process of a container, to which the kernel gives none either.
//!
//! # What is not
//!
//! - What the host had installed is read from `/proc/self/status` just before the first listening of a signal. On
//!   other systems that cannot be read without `unsafe`, and neither can it where `/proc` is not mounted: there the
//!   default action is taken to have been in force, so that Ctrl-C ends a program that listens no more. A host with
//!   its own handler there lives through the signal only while something listens here.
//! - A handler that comes *after* the first listening is not seen. If it goes through `signal-hook`'s registry, as
//!   tokio's do, both are called, but with nobody listening here the default action still ends the process: install it
//!   first, which for tokio means to *call* `tokio::signal::unix::signal` first, and for its `ctrl_c()` to poll it. If
//!   it goes past the registry (`sigaction`), it replaces all that is here, and nobody here hears the signal any more.
//! - A signal delivered in the few microseconds in which its very first handler is being installed may be lost, since
//!   the registry swaps the handler in before it knows whom to call.
//! - Real-time signals, `SIGPWR`, `SIGSTKFLT`, and on Linux `SIGIO` have no default action in `signal-hook`: where
//!   they end the process, it exits with 128 and the signal's number, as a shell would show it.
//! - After a `fork` without `exec` the child's listenings are inert, and the default action is back as soon as the
//!   child calls anything here, or [`after_fork`](listening::after_fork). Until then its signals are held back if the parent held them back,
//!   and wake the parent's thread for nothing. A fork in the instant in which another thread installs a handler leaves
//!   the child with the registry's lock taken, as any lock is.

mod error;
mod kind;
mod listening;
mod names;

#[cfg(unix)]
mod before;
#[cfg(unix)]
mod board;
#[cfg(windows)]
mod console;
#[cfg(unix)]
mod line;
#[cfg(all(test, unix))]
mod tests;

pub use self::error::InvalidSignal;
pub use self::kind::Signal;
pub(crate) use self::listening::{Listening, listen, say_that_the_next_one_ends_the_process};
