//! An operation on a plain thread: nothing is polled and nothing dropped, it is told.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::thread;

use super::settle::{settle, settle_elsewhere};
use super::start::{Started, Watch, start};
use crate::builder::Cancelable;
use crate::operation::current::{self, Kind};
use crate::operation::{Ending, Operation};

impl Cancelable {
    /// Starts the operation on this thread, and makes it current until the guard is dropped.
    ///
    /// For code that blocks: nothing here can stop it, so it has to [`check`](Operation::check) now and then. Time limits run
    /// on a timer that needs no runtime. An operation that was cancelled before its start is so at once; it is the caller
    /// who checks.
    ///
    /// When the guard is dropped the operation ends: Failed if the thread is panicking, Cancelled if it was asked to stop,
    /// else Completed. [`Entered::complete`] says that it finished in spite of an ask. Finalizers need a runtime: they run on
    /// the one that this thread has entered, or do not, which is recorded and logged. A grace period has no meaning here, since
    /// nobody drops anything.
    ///
    /// ```
    /// use cancelable::{Cancelable, Cancellation, CancellationToken, Operation};
    ///
    /// fn deep_inside() -> Result<(), Cancellation> {
    ///     Operation::current().expect("entered").check()
    /// }
    ///
    /// let token = CancellationToken::new();
    /// let worker = std::thread::spawn({
    ///     let token = token.clone();
    ///     move || {
    ///         let _entered = Cancelable::new().token(&token).enter_blocking();
    ///         loop {
    ///             if let Err(why) = deep_inside() {
    ///                 break why;
    ///             }
    ///         }
    ///     }
    /// });
    /// token.cancel_with("closing time");
    /// assert_eq!(worker.join().unwrap().message(), "closing time");
    /// ```
    ///
    /// # Panics
    ///
    /// If it has a condition or another [source](Self::source), which somebody has to poll: give the thread a token, or use
    /// [`run`](Cancelable::run). Time limits, tokens and signals that are not given as sources are fine.
    #[track_caller]
    pub fn enter_blocking(mut self) -> Entered {
        let sources = self.more.as_ref().map_or(&[][..], |more| &more.sources);
        if let Some(source) = sources.first() {
            panic!(
                "enter_blocking cannot watch {source:?}: that needs a runtime; use run there, or cancel a token \
                 that this operation is given"
            );
        }
        let Started { operation, watch } = start(&mut self);
        if let Some(limit) = operation.record.deadline
            && !operation.is_cancelled()
        {
            // The limit crosses from the runtime's clock to the timer's as time remaining.
            let left = limit.saturating_duration_since(operation.record.start);
            operation.token().cancel_after(left);
        }
        operation.record.set_running();
        operation.record.call_on_start();
        let entered = current::enter(operation.clone(), Kind::Thread);
        Entered {
            operation,
            current: Some(entered),
            ending: None,
            watch,
            was_panicking: thread::panicking(),
            this_thread: PhantomData,
        }
    }
}

/// An operation that runs on this thread for as long as this guard is there; made by
/// [`Cancelable::enter_blocking`].
///
/// It dereferences to the [`Operation`]. It cannot be sent to another thread, and must not be held across an await, where it
/// would be current for other tasks of the thread.
#[must_use = "the operation ends as this guard is dropped"]
pub struct Entered {
    operation: Operation,
    /// `None` once left.
    current: Option<current::Entered>,
    /// What the caller said about the end.
    ending: Option<Ending>,
    watch: Option<Box<Watch>>,
    /// Entered by a destructor while the thread unwinds: then that panic is not this operation's.
    was_panicking: bool,
    /// Not `Send`: the stack that it stands on is this thread's.
    this_thread: PhantomData<*const ()>,
}

impl Entered {
    /// Ends the operation as Completed, also if it was asked to stop meanwhile.
    pub fn complete(mut self) {
        self.ending = Some(Ending::Completed);
    }

    /// Ends the operation as Failed with this error, or as Cancelled if it was asked to stop before.
    pub fn fail(mut self, error: impl fmt::Display) {
        if !self.operation.is_cancelled() {
            self.ending = Some(Ending::Failed(error.to_string()));
        }
    }
}

impl Deref for Entered {
    type Target = Operation;

    fn deref(&self) -> &Operation {
        &self.operation
    }
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entered").field(&self.operation).finish()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(current) = self.current.take() {
            drop(current.leave());
        }
        let ending = match self.ending.take() {
            _ if thread::panicking() && !self.was_panicking => {
                Ending::Failed("panicked".to_owned())
            }
            Some(ending) => ending,
            None if self.operation.is_cancelled() => Ending::Cancelled,
            None => Ending::Completed,
        };
        self.watch = None;
        let record = &self.operation.record;
        if record.close().is_ok() {
            return record.end(ending);
        }
        record.duties().decide(ending);
        settle_elsewhere(&self.operation, settle(self.operation.clone()));
    }
}
