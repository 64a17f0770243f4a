//! The half of a signal that its handler touches: two flags that outlive every listener, and what uses them.
//!
//! A handler may interrupt anything, so it reads and writes atomics and a pipe, and takes no lock. It runs what the
//! host had installed, then the default action if `unheld`, then sets `arrived`, then wakes the thread.
//!
//! 1. `unheld` is true exactly while nobody holds the default action back. It is true before the first action of the
//!    signal is registered, so that a signal which comes meanwhile still ends the process.
//! 2. `arrived` is set after `unheld` was found false, or the default action does not end the process. So where it
//!    does, an arrival that is found while nobody listens came while somebody did.
//! 3. The other flags are written only under the board's lock, and only from false to true.
//!
//! The flags are static, since handlers, and after a `fork` the child's handlers too, use them for as long as the
//! process lives. Their operations are all `SeqCst`, as the handler's own are, which `signal-hook` fixes.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::{SigId, flag, low_level};

use super::before::Before;
use super::kind::Signal;
use super::names;

/// One signal, as its handler sees it.
pub(super) struct Line {
    /// Whether the default action is to be taken, if it is kept at all.
    unheld: AtomicBool,
    /// Whether the signal came since somebody last looked.
    arrived: AtomicBool,
    /// Whether what the host did with the signal has been read.
    judged: AtomicBool,
    /// Whether the default action was in force before, and is now taken by the first action here.
    keeps_default: AtomicBool,
    /// Whether the action that sets `arrived` is registered.
    marks: AtomicBool,
}

impl Line {
    /// The line of a signal.
    pub(super) fn of(signal: Signal) -> &'static Self {
        usize::try_from(signal.number())
            .ok()
            .and_then(|number| LINES.get(number))
            .expect("a signal's number is one that the system has")
    }

    /// Every line of the process.
    pub(super) fn all() -> &'static [Self] {
        &LINES
    }

    /// Registers the actions that all processes share, those that are not yet. What is registered stays for good:
    /// taking it away would leave a handler that swallows the signal.
    ///
    /// The caller holds the board's lock.
    pub(super) fn hook(&'static self, signal: Signal) -> io::Result<()> {
        // Relaxed, here and below: the lock orders every use of these three.
        if !self.judged.load(Ordering::Relaxed) {
            if Before::read(signal) == Before::Default {
                self.keep_default(signal.number())?;
                self.keeps_default.store(true, Ordering::Relaxed);
            }
            self.judged.store(true, Ordering::Relaxed);
        }
        if !self.marks.load(Ordering::Relaxed) {
            flag::register(signal.number(), &self.arrived)?;
            self.marks.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Has the handler write to this pipe as its last action.
    pub(super) fn wake_through(signal: Signal, pipe: UnixStream) -> io::Result<SigId> {
        low_level::pipe::register(signal.number(), pipe)
    }

    /// Holds the default action back from now on.
    pub(super) fn hold(&self) {
        // Pairs with the handler's load: a handler that starts after this returns finds it.
        self.unheld.store(false, Ordering::SeqCst);
    }

    /// Holds the default action back no more. To miss no arrival, call [`Line::take_arrival`] afterwards.
    pub(super) fn let_go(&self) {
        // Pairs with the handler's load. A handler that came before it, and has not yet set `arrived`, is found by the
        // thread, which that handler wakes.
        self.unheld.store(true, Ordering::SeqCst);
    }

    /// Whether the signal came since this was last asked.
    pub(super) fn take_arrival(&self) -> bool {
        // Pairs with the handler's store. Being a read-modify-write it finds the latest one, so that who registers
        // after a delivery and asks first knows of it.
        self.arrived.swap(false, Ordering::SeqCst)
    }

    /// Forgets what a process inherited from the one that forked it.
    pub(super) fn start_anew(&self) {
        self.let_go();
        self.take_arrival();
    }

    /// What a handler does last that found the default action held back.
    #[cfg(test)]
    pub(super) fn arrive(&self) {
        self.arrived.store(true, Ordering::SeqCst);
    }

    /// Whether this signal ends the process while nobody holds it back. The caller holds the board's lock.
    pub(super) fn is_fatal(&self, signal: Signal) -> bool {
        // Relaxed: the lock orders it.
        self.keeps_default.load(Ordering::Relaxed)
            && names::default_ends_the_process(signal.number())
    }

    /// Does what the signal does by default, outside of its handler.
    pub(super) fn take_default(signal: Signal) {
        let number = signal.number();
        if !names::default_is_known(number) {
            low_level::exit(EXITED_BY_SIGNAL + number);
        }
        if let Err(error) = low_level::emulate_default_handler(number) {
            tracing::error!(%signal, %error, "the default action of a signal could not be taken");
        }
    }

    const fn new() -> Self {
        Self {
            unheld: AtomicBool::new(true),
            arrived: AtomicBool::new(false),
            judged: AtomicBool::new(false),
            keeps_default: AtomicBool::new(false),
            marks: AtomicBool::new(false),
        }
    }

    /// Registers the action that takes the default while nobody holds it back: the first one here (invariant 2).
    fn keep_default(&'static self, number: i32) -> io::Result<()> {
        if names::default_is_known(number) {
            flag::register_conditional_default(number, &self.unheld)?;
        } else {
            let status = EXITED_BY_SIGNAL + number;
            flag::register_conditional_shutdown(number, status, &self.unheld)?;
        }
        Ok(())
    }
}

/// What a shell adds to a signal's number to tell that a process died of it.
const EXITED_BY_SIGNAL: i32 = 128;

/// More than any system has signals.
const COUNT: usize = 129;

static LINES: [Line; COUNT] = [const { Line::new() }; COUNT];
