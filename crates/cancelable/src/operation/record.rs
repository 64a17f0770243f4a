//! What is kept of a running operation: one allocation, and a second only for what not every operation needs.
//!
//! # Invariants
//!
//! 1. **The status only goes forward**, and is written by whoever drives the operation alone: once to running, once to its
//!    end. "Cancelling" is not stored; it is "running" with a token that is cancelled.
//! 2. **The token is made on first need.** Before that nobody outside can have asked this operation to stop, and whether
//!    one that encloses it was asked, its parent knows. A driver that has to wait before there is one leaves its waker here,
//!    and whoever makes the token wakes it, so that it goes on to wait there: both under one lock, so neither misses the
//!    other.
//! 3. **No callback runs under the lock.**

use std::iter;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cancelable_core::{
    Cancellation, CancellationToken, OperationContext, OperationStatus, Origin, Pace, Progress,
    Reason, WakerSlot,
};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::current::Shielded;
use super::{Budgets, Callbacks, Duties, Operation, callbacks, clock};

/// See the module's documentation.
pub(crate) struct Record {
    /// One of the constants below: written by the driver with release, which pairs with the acquire of whoever asks, so
    /// that who sees an end sees its time and error too.
    status: AtomicU8,
    pub(crate) start: Instant,
    pub(crate) deadline: Option<Instant>,
    pub(crate) parent: Option<Operation>,
    token: OnceLock<CancellationToken>,
    /// The waker of a driver that waits while there is no token. Its lock is held while the token is made.
    waiting: Mutex<Option<Waker>>,
    about: Option<Box<About>>,
    /// Started in a shielded section: what cancels its parent does not cancel it.
    pub(crate) shield: Option<Box<Shielded>>,
    /// What most operations never need, made on first need: so the record is small, and quick to make.
    late: OnceLock<Box<Late>>,
}

/// What the program said about an operation before it started.
#[derive(Default)]
pub(crate) struct About {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) attempt: Option<u32>,
    pub(crate) metadata: Map<String, Value>,
    /// Handles to what it is linked to: so a deadline there stands for as long as the operation.
    pub(crate) tokens: Vec<CancellationToken>,
    pub(crate) budgets: Budgets,
    /// When a source fires at the latest, if that is known: nanoseconds from the start, and one more; 0 while it is not.
    sources_deadline: AtomicU64,
}

/// That an operation was asked to stop.
struct Asked {
    /// Why, as this operation tells it: with the id of its parent.
    why: Cancellation,
    /// When the operation noticed, by the runtime's clock.
    noticed: Instant,
}

/// What comes about while it runs.
#[derive(Default)]
struct Late {
    asked: OnceLock<Asked>,
    id: OnceLock<String>,
    duties: OnceLock<Box<Duties>>,
    changing: Mutex<Changing>,
}

#[derive(Default)]
struct Changing {
    /// Over, or about to be: nothing more can be owed.
    is_closed: bool,
    callbacks: Callbacks,
    progress: Option<Progress>,
    /// By the operation's own reports: those from inside it are on their way to other goals.
    pace: Pace,
    end: Option<End>,
    error: Option<String>,
    /// The counts of streams that are open.
    streams: Vec<Arc<AtomicU64>>,
    /// What streams that are closed have delivered.
    items: u64,
}

/// An end, with what was on record by then: an ask that comes later is none.
#[derive(Clone)]
struct End {
    at: Instant,
    /// The ask that came before the end, and how long before.
    asked: Option<(Cancellation, Duration)>,
}

/// That an operation cannot end yet.
#[derive(Debug)]
pub(crate) struct Owing;

/// How an operation ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Completed,
    Cancelled,
    Failed(String),
}

impl Record {
    /// The record of an operation of which nothing was said.
    #[inline]
    pub(crate) fn plain(
        start: Instant,
        deadline: Option<Instant>,
        parent: Option<Operation>,
    ) -> Self {
        Self {
            status: AtomicU8::new(PENDING),
            start,
            deadline,
            parent,
            token: OnceLock::new(),
            waiting: Mutex::new(None),
            about: None,
            shield: None,
            late: OnceLock::new(),
        }
    }

    pub(crate) fn new(
        start: Instant,
        deadline: Option<Instant>,
        parent: Option<Operation>,
        about: About,
        callbacks: Option<Callbacks>,
    ) -> Self {
        let mut record = Self::plain(start, deadline, parent);
        record.about = Some(Box::new(about));
        if let Some(callbacks) = callbacks {
            record.change(|changing| changing.callbacks = callbacks);
        }
        record
    }

    /// The tokens that it was given.
    pub(crate) fn tokens(&self) -> &[CancellationToken] {
        self.about.as_ref().map_or(&[], |about| &about.tokens)
    }

    /// When its time is up: by its own limit, by a source that knows when it fires, or by the bound of the
    /// shield that it started in.
    pub(crate) fn own_deadline(&self) -> Option<Instant> {
        // Relaxed: a moment by itself, which orders nothing.
        let of_sources = self.about.as_ref().and_then(|about| {
            let nanos = about.sources_deadline.load(Ordering::Relaxed);
            let after = Duration::from_nanos(nanos.checked_sub(1)?);
            self.start.checked_add(after)
        });
        let of_shield = self.shield.as_ref().and_then(|shield| shield.until);
        let known = [self.deadline, of_sources, of_shield];
        known.into_iter().flatten().min()
    }

    /// Notes when a source fires at the latest; only for a record of which something was said.
    pub(crate) fn set_sources_deadline(&self, deadline: Option<Instant>) {
        let Some(about) = &self.about else { return };
        let nanos = deadline.and_then(|deadline| {
            let after = deadline.saturating_duration_since(self.start);
            u64::try_from(after.as_nanos()).ok()?.checked_add(1)
        });
        about
            .sources_deadline
            .store(nanos.unwrap_or(0), Ordering::Relaxed);
    }

    /// What it may take, if that was said.
    pub(crate) fn budgets(&self) -> Option<&Budgets> {
        self.about.as_ref().map(|about| &about.budgets)
    }

    pub(crate) fn id(&self) -> &str {
        self.late().id.get_or_init(|| {
            let given = self.about.as_ref().and_then(|about| about.id.clone());
            given.unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
        })
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.about.as_ref()?.name.as_deref()
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        match self.token.get() {
            Some(token) => token,
            None => self.make_tokens(),
        }
    }

    /// Makes the token, and before it those of the operations around that have none yet, from the outside in; so a line of any
    /// length fits any stack.
    #[cold]
    fn make_tokens(&self) -> &CancellationToken {
        let without: Vec<_> = self
            .reached_from()
            .take_while(|record| record.token.get().is_none())
            .collect();
        for record in without.into_iter().rev() {
            record.make_own_token();
        }
        self.token.get().expect("made just now, the last of them")
    }

    /// Makes the token below the parent's, which is there.
    fn make_own_token(&self) {
        let made = match self.above() {
            Some(above) => {
                let above = above.record.token.get();
                above.expect("made from the outside in").child_token()
            }
            None => CancellationToken::new(),
        };
        let mut waiting = self.waiting.lock();
        // Somebody else may have been faster.
        let spare = self.token.set(made).err();
        let waker = waiting.take();
        drop(waiting);
        drop(spare);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What it owes before it has ended, if anything: one load where nothing came about.
    #[inline]
    pub(crate) fn duties_if_any(&self) -> Option<&Duties> {
        self.late.get()?.duties.get().map(|duties| &**duties)
    }

    /// What it owes before it has ended.
    pub(crate) fn duties(&self) -> &Duties {
        self.late().duties.get_or_init(Box::default)
    }

    /// For the start: what it owes from the beginning.
    pub(crate) fn owe(&self, duties: Duties) {
        let is_first = self.late().duties.set(Box::new(duties)).is_ok();
        debug_assert!(is_first, "an operation owes from its start");
    }

    /// Nothing may be owed any more from now on.
    ///
    /// # Errors
    ///
    /// Something is owed, and has to be seen to first.
    pub(crate) fn close(&self) -> Result<(), Owing> {
        self.change(|changing| {
            if self.duties_if_any().is_some_and(Duties::is_owing) {
                return Err(Owing);
            }
            changing.is_closed = true;
            Ok(())
        })
    }

    /// Owes something more, unless it is over.
    pub(crate) fn owe_more<T>(&self, owe: impl FnOnce(&Duties) -> T) -> Option<T> {
        self.change(|changing| (!changing.is_closed).then(|| owe(self.duties())))
    }

    /// Whether it was asked to stop, and has no time left to do so by itself.
    pub(crate) fn is_out_of_grace(&self) -> bool {
        let Some(Asked { noticed, .. }) = self.asked() else {
            return false;
        };
        match self.duties_if_any() {
            None => true,
            Some(duties) => match duties.grace {
                None => true,
                Some(_) if duties.mercy_ends().is_cancelled() => true,
                // One so long that it has no end leaves all the time there is.
                Some(grace) => noticed
                    .checked_add(grace)
                    .is_some_and(|end| end <= Instant::now()),
            },
        }
    }

    /// When it noticed that it was asked to stop, by the runtime's clock.
    pub(crate) fn noticed_ask(&self) -> Option<Instant> {
        self.asked().map(|asked| asked.noticed)
    }

    /// This operation and those whose cancel reaches it, from the inside out: up to a shield.
    pub(crate) fn reached_from(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |record| {
            record.above().map(|above| &*above.record)
        })
    }

    /// The operation that it is cancelled with.
    pub(crate) fn above(&self) -> Option<&Operation> {
        self.parent.as_ref().filter(|_| self.shield.is_none())
    }

    /// Has the driver's task woken when the operation is asked to stop, and says whether it was already.
    pub(crate) fn poll_asked(&self, slot: &mut WakerSlot, cx: &mut Context<'_>) -> Poll<()> {
        let token = match (self.token.get(), self.above()) {
            (Some(token), _) => token,
            // What encloses it may be asked at any time, and tells through the tokens.
            (None, Some(_)) => self.token(),
            (None, None) => match self.wait_for_token(cx.waker()) {
                Some(token) => token,
                None => return Poll::Pending,
            },
        };
        token.poll_cancelled(slot, cx).map(drop)
    }

    /// Leaves the waker for whoever makes the token, unless that is made.
    fn wait_for_token(&self, waker: &Waker) -> Option<&CancellationToken> {
        // Cloned before and dropped after the lock is held, since both are somebody else's code.
        let new = waker.clone();
        let mut waiting = self.waiting.lock();
        let token = self.token.get();
        let old = match token {
            None => waiting.replace(new),
            Some(_) => Some(new),
        };
        drop(waiting);
        drop(old);
        token
    }

    /// Takes back what [`poll_asked`](Self::poll_asked) left behind, for a record that outlives its driver.
    pub(crate) fn stop_waiting(&self, slot: &mut WakerSlot) {
        if let Some(token) = self.token.get() {
            slot.clear(token);
        }
        let waker = self.waiting.lock().take();
        drop(waker);
    }

    /// The token, if anybody has needed it.
    pub(crate) fn token_if_made(&self) -> Option<&CancellationToken> {
        self.token.get()
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        let mut reached_from = self.reached_from();
        reached_from
            .find_map(|record| record.token.get())
            .is_some_and(CancellationToken::is_cancelled)
    }

    pub(crate) fn cancellation(&self) -> Option<Cancellation> {
        self.asked().map(|asked| asked.why.clone())
    }

    /// Notes when it was asked to stop, if it was.
    pub(crate) fn notice_ask(&self) {
        self.asked();
    }

    fn asked(&self) -> Option<&Asked> {
        if !self.is_cancelled() {
            return None;
        }
        Some(self.late().asked.get_or_init(|| {
            let why = self.token().cancellation();
            let why = why.expect("a token that is made under a cancelled parent is cancelled");
            let why = match &self.parent {
                // A token that is linked may be the child of another token, and have that one's cancel as its cause.
                Some(parent)
                    if why.reason() == Reason::Parent
                        && why.cause() == parent.token().cancellation() =>
                {
                    why.with_origin(Origin::parent(parent.id()))
                }
                Some(_) | None => why,
            };
            Asked {
                why,
                noticed: Instant::now(),
            }
        }))
    }

    /// How long before `moment` it was asked to stop; at most for as long as it has been running.
    ///
    /// An ask is stamped by the machine's clock, and noticed by the runtime's. The machine's knows of the time until it was
    /// noticed, the runtime's of time that a test makes pass: the longer one counts.
    fn asked_before(&self, moment: Instant) -> Option<(Cancellation, Duration)> {
        let Asked { why, noticed } = self.asked()?;
        let by_machine = why.instant().elapsed();
        let by_runtime = moment.saturating_duration_since(*noticed);
        let age = moment.saturating_duration_since(self.start);
        Some((why.clone(), by_machine.max(by_runtime).min(age)))
    }

    pub(crate) fn status(&self) -> OperationStatus {
        match self.status.load(Ordering::Acquire) {
            PENDING => OperationStatus::Pending,
            RUNNING if !self.is_cancelled() => OperationStatus::Running,
            // It may have ended between the two questions, and been asked only then.
            RUNNING => match self.status.load(Ordering::Acquire) {
                RUNNING => OperationStatus::Cancelling,
                ended => terminal(ended),
            },
            ended => terminal(ended),
        }
    }

    pub(crate) fn set_running(&self) {
        self.status.store(RUNNING, Ordering::Release);
    }

    /// Sets the terminal status, and then calls those who wanted to hear of it.
    pub(crate) fn end(&self, ending: Ending) {
        let (status, error) = match ending {
            Ending::Completed => (COMPLETED, None),
            Ending::Cancelled => (CANCELLED, None),
            Ending::Failed(error) => (FAILED, Some(error)),
        };
        let callbacks = self.change(|changing| {
            let at = Instant::now();
            let asked = self.asked_before(at);
            changing.is_closed = true;
            changing.end = Some(End { at, asked });
            changing.error = error;
            // Under the lock, so that no snapshot sees an end without its time.
            self.status.store(status, Ordering::Release);
            std::mem::take(&mut changing.callbacks)
        });
        if callbacks.end_unheard() {
            return;
        }
        let (what, callbacks) = match status {
            COMPLETED => ("on_complete", callbacks.complete),
            CANCELLED => ("on_cancel", callbacks.cancel),
            _ => ("on_error", callbacks.error),
        };
        self.call(what, callbacks);
    }

    pub(crate) fn call_on_start(&self) {
        let callbacks = self.change(|changing| std::mem::take(&mut changing.callbacks.start));
        self.call("on_start", callbacks);
    }

    fn call(&self, what: &'static str, all: Vec<super::OnEnd>) {
        if all.is_empty() {
            return;
        }
        let context = self.context();
        for callback in all {
            callbacks::call(what, || callback(&context));
        }
    }

    pub(crate) fn report(&self, reporter: &Operation, progress: Progress) {
        let is_own = std::ptr::eq(&*reporter.record, self);
        let callbacks = self.change(|changing| {
            if is_own {
                // Read under the lock, so that reports of two threads come in the order of their times.
                changing.pace.note(self.start.elapsed(), &progress);
            }
            changing.progress = Some(progress.clone());
            changing.callbacks.progress.clone()
        });
        for callback in callbacks {
            callbacks::call("on_progress", || callback(reporter, &progress));
        }
    }

    pub(crate) fn on_progress(&self, callback: super::OnProgress) {
        self.change(|changing| changing.callbacks.progress.push(callback));
    }

    /// A count that is part of the snapshot for as long as its stream is open.
    pub(crate) fn open_stream(&self) -> Arc<AtomicU64> {
        let count = Arc::new(AtomicU64::new(0));
        self.change(|changing| changing.streams.push(Arc::clone(&count)));
        count
    }

    pub(crate) fn close_stream(&self, count: &Arc<AtomicU64>) {
        self.change(|changing| {
            changing.streams.retain(|open| !Arc::ptr_eq(open, count));
            // Relaxed: whoever closes a stream has it to himself.
            changing.items += count.load(Ordering::Relaxed);
        });
    }

    pub(crate) fn context(&self) -> OperationContext {
        let mut context = OperationContext::new(self.id());
        context.start = clock::wall(self.start);
        context.parent_id = self.parent.as_ref().map(|parent| parent.id().to_owned());
        if let Some(about) = &self.about {
            context.name.clone_from(&about.name);
            context.attempt = about.attempt.unwrap_or(1);
            context.metadata.clone_from(&about.metadata);
        }
        // Under the lock, so that an end is seen with its time or not at all.
        let changing = self.late().changing.lock();
        context.status = self.status();
        let end = changing.end.clone();
        context.skipped_finalizers = self.duties_if_any().map_or(0, Duties::skipped);
        context.error.clone_from(&changing.error);
        context.progress.clone_from(&changing.progress);
        let pace = changing.pace.clone();
        // Relaxed: a count by itself, which orders nothing.
        let open = changing
            .streams
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        context.items = changing.items + open.sum::<u64>();
        drop(changing);
        context.end = end.as_ref().map(|end| clock::wall(end.at));
        let End { at, asked } = end.unwrap_or_else(|| {
            let at = Instant::now();
            let asked = self.asked_before(at);
            End { at, asked }
        });
        context.duration = at.saturating_duration_since(self.start);
        context.rate = pace.rate();
        if !context.status.is_terminal() {
            context.time_left = pace.time_left(context.duration);
        }
        if let Some((why, since)) = asked {
            context.asked_at = Some(clock::wall(at) - since);
            context.since_asked = Some(since);
            context.cancellation = Some(why);
        }
        context
    }

    fn change<T>(&self, change: impl FnOnce(&mut Changing) -> T) -> T {
        change(&mut self.late().changing.lock())
    }

    fn late(&self) -> &Late {
        self.late.get_or_init(Box::default)
    }
}

/// Operations around it that nothing else holds go one after the other, so that a line of any length fits any stack.
impl Drop for Record {
    #[inline]
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(parent) = next {
            next = Arc::into_inner(parent.record).and_then(|mut record| record.parent.take());
        }
    }
}

fn terminal(status: u8) -> OperationStatus {
    match status {
        COMPLETED => OperationStatus::Completed,
        CANCELLED => OperationStatus::Cancelled,
        _ => OperationStatus::Failed,
    }
}

const PENDING: u8 = 0;
const RUNNING: u8 = 1;
const COMPLETED: u8 = 2;
const CANCELLED: u8 = 3;
const FAILED: u8 = 4;
