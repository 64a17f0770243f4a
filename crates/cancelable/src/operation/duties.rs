//! What an operation owes before it has ended: a grace to its body, an end to its tasks and threads, its finalizers.
//!
//! Made on first need, so that an operation which owes nothing pays nothing.
//!
//! # Invariants
//!
//! 1. **Who has joined is counted until it has left**: a task once its future is gone, a thread once its function has
//!    returned.
//! 2. **Closed once**: when whoever ends the operation has seen everybody leave, or has given up on threads that do not
//!    listen. Nobody joins after that.
//! 3. **The record ends once**: by whoever settles the operation if all have left by then, else by the last who leaves, to
//!    whom the ending is left.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cancelable_core::{Cancellation, CancellationToken, Reason};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{Cleanup, Ending, Finalizer, Graces, Operation, Shields};
use crate::panic::{self, Payload};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Duties {
    graces: Mutex<Graces>,
    /// Made with the first, as most have none.
    shields: OnceLock<Arc<Shields>>,
    /// Cancelled when tasks are to stop: when the grace is over, or the future of the run is gone.
    mercy_ends: OnceLock<CancellationToken>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    finalizers: Vec<Finalizer>,
    skipped: u64,
    /// The runtime that finalizers run on where the future of the run is gone.
    runtime: Option<Handle>,
    tasks: usize,
    threads: usize,
    is_closed: bool,
    /// Nothing more is seen to.
    is_finished: bool,
    /// The first panic of a task or thread.
    panicked: Option<Payload>,
    /// Of whoever waits for all to leave.
    waiting: Option<Waker>,
    /// How it ends, once that is known.
    ending: Option<Ending>,
    /// Whether the ending is left to the last who leaves.
    is_left: bool,
}

/// What works for an operation beside its body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Helper {
    Task,
    Thread,
}

impl Duties {
    pub(crate) fn new(graces: Graces, finalizers: Vec<Finalizer>) -> Self {
        // Every handle counts at one place, so who does not need one takes none.
        let is_needed = !finalizers.is_empty();
        let runtime = is_needed.then(|| Handle::try_current().ok()).flatten();
        let state = State {
            finalizers,
            runtime,
            ..State::default()
        };
        Self {
            graces: Mutex::new(graces),
            state: Mutex::new(state),
            ..Self::default()
        }
    }

    /// How long the body may go on after an ask for this cause.
    pub(crate) fn grace_after(&self, why: &Cancellation) -> Option<Duration> {
        self.graces.lock().after(why)
    }

    /// All of its graces.
    #[cfg(feature = "backon")]
    pub(crate) fn graces(&self) -> Graces {
        self.graces.lock().clone()
    }

    /// Those of the body.
    pub(crate) fn shields(&self) -> &Arc<Shields> {
        self.shields.get_or_init(Arc::default)
    }

    /// Cancelled when tasks are to stop, where that is later than the ask or sooner than the body's end.
    pub(crate) fn mercy_ends(&self) -> &CancellationToken {
        self.mercy_ends.get_or_init(CancellationToken::new)
    }

    /// Whether there is anything to see to once the body is gone.
    pub(crate) fn is_owing(&self) -> bool {
        let state = self.state.lock();
        !state.finalizers.is_empty() || state.tasks + state.threads > 0 || state.panicked.is_some()
    }

    /// Whether finalizers are waiting for their turn, or one is at work.
    pub(crate) fn has_finalizers(&self) -> bool {
        let state = self.state.lock();
        !state.finalizers.is_empty() || state.is_closed
    }

    /// Registers a finalizer.
    ///
    /// # Errors
    ///
    /// Gives it back if it comes too late.
    fn add_finalizer(&self, finalizer: Finalizer) -> Result<(), Finalizer> {
        let runtime = Handle::try_current().ok();
        let mut state = self.state.lock();
        if state.is_finished {
            return Err(finalizer);
        }
        state.finalizers.push(finalizer);
        if state.runtime.is_none() {
            state.runtime = runtime;
        }
        Ok(())
    }

    /// The finalizer that was registered last.
    pub(crate) fn next_finalizer(&self) -> Option<Finalizer> {
        self.state.lock().finalizers.pop()
    }

    /// The runtime to run finalizers on without the future of the run.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        let known = self.state.lock().runtime.clone();
        known.or_else(|| Handle::try_current().ok())
    }

    /// Takes away the finalizers that will not run, and counts them with one that was cut off, if any; says how many they are.
    pub(crate) fn skip_finalizers(&self, cut_off: u64) -> u64 {
        let mut state = self.state.lock();
        let finalizers = std::mem::take(&mut state.finalizers);
        let skipped = finalizers.len() as u64 + cut_off;
        state.skipped += skipped;
        drop(state);
        // The user's code is dropped outside the lock.
        finalizers.into_iter().for_each(panic::discard);
        skipped
    }

    /// How many finalizers did not run.
    pub(crate) fn skipped(&self) -> u64 {
        self.state.lock().skipped
    }

    /// Counts one more task or thread, unless it is too late for that.
    fn count(&self, helper: Helper) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return false;
        }
        match helper {
            Helper::Task => state.tasks += 1,
            Helper::Thread => state.threads += 1,
        }
        true
    }

    /// Waits until all have left; for threads only while there is patience. Nobody joins after that.
    pub(crate) fn poll_left(&self, cx: &Context<'_>, has_patience: bool) -> Poll<()> {
        // Cloned before and dropped after the lock is held: somebody else's code.
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        let is_over = state.tasks == 0 && (state.threads == 0 || !has_patience);
        let (answer, spare) = if is_over {
            state.is_closed = true;
            (Poll::Ready(()), Some(waker))
        } else {
            (Poll::Pending, state.waiting.replace(waker))
        };
        drop(state);
        drop(spare);
        answer
    }

    /// Whether all have left, or were given up on.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Keeps the first panic.
    pub(crate) fn keep_panic(&self, payload: Payload) {
        let mut state = self.state.lock();
        let spare = if state.panicked.is_none() {
            state.panicked = Some(payload);
            None
        } else {
            Some(payload)
        };
        drop(state);
        panic::discard(spare);
    }

    /// The first panic, to go on with.
    pub(crate) fn take_panic(&self) -> Option<Payload> {
        self.state.lock().panicked.take()
    }

    /// How the operation will have ended; what was said before counts no more.
    pub(crate) fn decide(&self, ending: Ending) {
        self.state.lock().ending = Some(ending);
    }

    /// Ends the record of `operation` as decided, or leaves that to the last of its tasks and threads that leaves.
    pub(crate) fn finish(&self, operation: &Operation) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.is_finished = true;
        state.is_left = state.tasks + state.threads > 0;
        let ending = if state.is_left {
            None
        } else {
            Some(state.take_ending())
        };
        drop(state);
        if let Some(ending) = ending {
            operation.record.end(ending);
        }
    }
}

impl State {
    fn take_ending(&mut self) -> Ending {
        match &self.panicked {
            Some(payload) => Ending::Failed(panic::said(&**payload)),
            None => self.ending.take().expect("decided before it is finished"),
        }
    }
}

impl Operation {
    /// Has a [grace](crate::Cancelable::grace_on) hold from now on where it is asked to stop for this reason, in place of what was
    /// said before; zero is none.
    ///
    /// So code that comes to know what the work is worth may say so. A grace that has begun stays as long as it is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::{Cancelable, Reason};
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// let outcome = Cancelable::new().run(async |op| {
    ///     op.grace_on(Reason::Disconnected, Duration::from_secs(5));
    ///     op.cancel_with(Reason::Disconnected);
    ///     sleep(Duration::from_secs(1)).await;
    ///     "finished all the same"
    /// });
    /// assert_eq!(outcome.await, Ok("finished all the same"));
    /// # }
    /// ```
    pub fn grace_on(&self, reason: Reason, grace: Duration) {
        self.record
            .owe_more(|duties| duties.graces.lock().set_on(reason, grace));
    }

    /// Has `clean_up` run when the body is gone, before those that were registered earlier: see
    /// [`Cancelable::finalizer`](crate::Cancelable::finalizer).
    ///
    /// Says whether it will run. Where the operation is over it will not: it is dropped.
    pub fn finalizer<F, Fut>(&self, limit: impl Into<Option<Duration>>, clean_up: F) -> bool
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output: Cleanup> + Send + 'static,
    {
        let finalizer = Finalizer::new(limit.into(), clean_up);
        let mut finalizer = Some(finalizer);
        let added = self.record.owe_more(|duties| {
            let finalizer = finalizer.take().expect("taken here alone");
            duties.add_finalizer(finalizer)
        });
        matches!(added, Some(Ok(())))
    }

    /// Counts one more of its tasks or threads.
    ///
    /// # Errors
    ///
    /// Why there can be none: the operation is over.
    pub(crate) fn join(&self, helper: Helper) -> Result<Joined, Cancellation> {
        match self.record.owe_more(|duties| duties.count(helper)) {
            Some(true) => Ok(Joined {
                operation: self.clone(),
                helper,
            }),
            Some(false) | None => {
                let name = self.name().unwrap_or_else(|| self.id());
                let message = format!("operation '{name}' is over: nothing can be spawned in it");
                Err(Cancellation::new(Reason::Error).with_message(message))
            }
        }
    }
}

/// One more task or thread of an operation, until this is dropped.
#[derive(Debug)]
#[must_use = "dropped, it has left"]
pub(crate) struct Joined {
    pub(crate) operation: Operation,
    helper: Helper,
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut state = self.operation.record.duties().state.lock();
        match self.helper {
            Helper::Task => state.tasks -= 1,
            Helper::Thread => state.threads -= 1,
        }
        let is_the_end = state.is_left && state.tasks + state.threads == 0;
        let ending = is_the_end.then(|| state.take_ending());
        let waker = state.waiting.take();
        drop(state);
        if let Some(ending) = ending {
            self.operation.record.end(ending);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
