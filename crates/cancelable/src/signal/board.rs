//! The half of a signal that listeners and the thread touch: who listens, to what, and whom a delivery is for.
//!
//! 1. Listeners are numbered in the order in which they came, and an arrival is *due* to those below a number: it is
//!    turned into a due number under the lock, before anybody is added or taken away. So whoever came later is not
//!    meant by it, and a signal that came before the last listener left is not forgotten.
//! 2. `Entry::holding` counts the listeners that hold the default action back; the line is held exactly while it is
//!    not zero. Both change together, under the lock; only a broken pipe lets a line go before its listeners.
//! 3. Nothing foreign runs under the lock: callbacks are called and dropped outside of it. The thread takes it anew for
//!    each listener, so that one which has left meanwhile is not called.
//! 4. A board belongs to the process that made it. After a `fork` the child finds the board to be another's, makes its
//!    own, and touches neither the lock nor the pipe of the old one, which a thread that it does not have may hold.
//! 5. Every arrival is followed by a byte in the pipe, and the thread looks at every entry after every read. So it
//!    sleeps only when nothing is due.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::{process, thread};

use signal_hook::{SigId, low_level};

use super::error::{ListenError, Step};
use super::kind::Signal;
use super::line::Line;
use super::listening::Callback;

/// Everything that one process knows of its listeners.
pub(super) struct Board {
    /// The process that this board belongs to.
    process: u32,
    ledger: Mutex<Ledger>,
    /// The board of a child that was forked off, as seen in that child.
    child: OnceLock<Box<Board>>,
}

impl Board {
    /// The board of this process.
    pub(super) fn current() -> &'static Self {
        static FIRST: OnceLock<Board> = OnceLock::new();
        let process = process::id();
        FIRST.get_or_init(|| Self::new(process)).of(process)
    }

    /// The board of a process that descends from this board's.
    pub(super) fn of(&'static self, process: u32) -> &'static Self {
        let mut board = self;
        while board.process != process {
            board = board.child.get_or_init(|| {
                // Nobody listens in the child, and what came before was the parent's.
                Line::all().iter().for_each(Line::start_anew);
                Box::new(Self::new(process))
            });
        }
        board
    }

    /// Whether this board is the one of the process that asks.
    pub(super) fn is_current(&self) -> bool {
        self.process == process::id()
    }

    /// Adds a listener, and returns its number.
    pub(super) fn join(
        &'static self,
        signal: Signal,
        callback: Arc<Callback>,
    ) -> Result<u64, ListenError> {
        // Declared after the callback, the lock is released before that is dropped on a failure.
        let mut ledger = self.lock();
        self.make_ready(&mut ledger, signal)
            .map_err(|(step, cause)| ListenError {
                signal,
                step,
                cause,
            })?;
        let number = ledger.next;
        ledger.next += 1;
        let entry = ledger.entries.entry(signal).or_default();
        entry.note_arrival(signal, number);
        entry.listeners.insert(
            number,
            Listener {
                callback,
                holds: true,
            },
        );
        entry.holding += 1;
        Line::of(signal).hold();
        Ok(number)
    }

    /// Has a listener hold the default action back no more.
    pub(super) fn let_go(&self, signal: Signal, number: u64) {
        if let Some(entry) = self.lock().entries.get_mut(&signal) {
            entry.let_go(signal, number);
        }
    }

    /// Takes a listener away.
    pub(super) fn leave(&self, signal: Signal, number: u64) {
        let left = {
            let mut ledger = self.lock();
            let next = ledger.next;
            ledger.entries.get_mut(&signal).and_then(|entry| {
                entry.let_go(signal, number);
                entry.note_arrival(signal, next);
                entry.listeners.remove(&number)
            })
        };
        drop(left);
    }

    fn new(process: u32) -> Self {
        Self {
            process,
            ledger: Mutex::default(),
            child: OnceLock::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // A panic under the lock would be a bug here, and no reason to be deaf to Ctrl-C.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the thread runs and the signal's handler wakes it.
    fn make_ready(
        &'static self,
        ledger: &mut Ledger,
        signal: Signal,
    ) -> Result<(), (Step, io::Error)> {
        let pipe = match &ledger.pipe {
            Some(pipe) => pipe,
            None => {
                let (read, write) = UnixStream::pair().map_err(|error| (Step::Pipe, error))?;
                thread::Builder::new()
                    .name("cancelable-signals".to_owned())
                    .spawn(move || self.serve(read))
                    .map_err(|error| (Step::Thread, error))?;
                ledger.pipe.insert(write)
            }
        };
        let entry = ledger.entries.entry(signal).or_default();
        if entry.wire.is_none() {
            let pipe = pipe.try_clone().map_err(|error| (Step::Pipe, error))?;
            Line::of(signal)
                .hook(signal)
                .map_err(|error| (Step::Handler, error))?;
            let wire = Line::wake_through(signal, pipe).map_err(|error| (Step::Handler, error))?;
            entry.wire = Some(wire);
        }
        Ok(())
    }

    /// What the thread does: sleeps until a handler writes to the pipe, then tells whom it concerns.
    fn serve(&self, mut pipe: UnixStream) {
        loop {
            match pipe.read(&mut [0; 64]) {
                Ok(read) if read > 0 => self.tell_all(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) => return self.abandon(&io::ErrorKind::UnexpectedEof.into()),
                Err(error) => return self.abandon(&error),
            }
        }
    }

    /// Gives every default action back, since nobody would be told, and has the next listener start anew. It happens
    /// only where the host closed a file that is not its own.
    fn abandon(&self, error: &io::Error) {
        tracing::error!(%error, "the pipe for signals is broken; listeners hear no more of them");
        let mut ledger = self.lock();
        ledger.pipe = None;
        for (signal, entry) in &mut ledger.entries {
            Line::of(*signal).let_go();
            if let Some(wire) = entry.wire.take() {
                low_level::unregister(wire);
            }
        }
    }

    /// Breaks the pipe, and waits until the thread has met it.
    #[cfg(test)]
    pub(super) fn break_pipe(&self) {
        if let Some(pipe) = &self.lock().pipe {
            pipe.shutdown(std::net::Shutdown::Both)
                .expect("the pipe is open");
        }
        while self.lock().pipe.is_some() {
            thread::yield_now();
        }
    }

    fn tell_all(&self) {
        let due: Vec<_> = {
            let mut ledger = self.lock();
            let next = ledger.next;
            let of_one = |(signal, entry): (&Signal, &mut Entry)| {
                entry.note_arrival(*signal, next);
                Some((*signal, entry.due.take()?))
            };
            ledger.entries.iter_mut().filter_map(of_one).collect()
        };
        for (signal, below) in due {
            self.tell(signal, below);
        }
    }

    /// Tells the listeners below a number of one delivery; if all of them are gone, those that came since; and where
    /// nobody holds the default action back any more, takes that.
    fn tell(&self, signal: Signal, mut below: u64) {
        let mut from = 0;
        let mut was_heard = false;
        loop {
            let (number, callback) = {
                let ledger = self.lock();
                let Some(entry) = ledger.entries.get(&signal) else {
                    return;
                };
                if !was_heard && entry.holding == 0 && Line::of(signal).is_fatal(signal) {
                    drop(ledger);
                    return Line::take_default(signal);
                }
                match entry.listeners.range(from..below).next() {
                    Some((number, listener)) => (*number, Arc::clone(&listener.callback)),
                    None if !was_heard && below < ledger.next => {
                        below = ledger.next;
                        continue;
                    }
                    None => return,
                }
            };
            from = number + 1;
            was_heard = true;
            // The callback is dropped inside too: it may be the last of it.
            if panic::catch_unwind(AssertUnwindSafe(move || callback(signal))).is_err() {
                tracing::error!(%signal, "a listener's callback panicked");
            }
        }
    }
}

#[derive(Default)]
struct Ledger {
    /// The end that handlers write to, of which each gets a copy. There is a thread exactly while there is one.
    pipe: Option<UnixStream>,
    /// The number of the next listener.
    next: u64,
    /// One for each signal that was ever listened for.
    entries: BTreeMap<Signal, Entry>,
}

#[derive(Default)]
struct Entry {
    /// The action by which the handler writes to this board's pipe.
    wire: Option<SigId>,
    listeners: BTreeMap<u64, Listener>,
    /// How many of them hold the default action back.
    holding: usize,
    /// The listeners below this number are still to be told of a delivery.
    due: Option<u64>,
}

impl Entry {
    /// Makes an arrival due to the listeners of this moment, all of whom have numbers below `next`.
    fn note_arrival(&mut self, signal: Signal, next: u64) {
        let line = Line::of(signal);
        // An arrival while nobody listened concerns nobody, unless it would have ended the process: then somebody did
        // listen when it came.
        if line.take_arrival() && (!self.listeners.is_empty() || line.is_fatal(signal)) {
            self.due = Some(next);
        }
    }

    fn let_go(&mut self, signal: Signal, number: u64) {
        if let Some(listener) = self.listeners.get_mut(&number)
            && listener.holds
        {
            listener.holds = false;
            self.holding -= 1;
            if self.holding == 0 {
                Line::of(signal).let_go();
            }
        }
    }
}

struct Listener {
    callback: Arc<Callback>,
    /// Whether it holds the default action back.
    holds: bool,
}
