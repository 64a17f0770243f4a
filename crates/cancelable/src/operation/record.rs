//! What is kept of a running operation: one allocation, and a second only for what not every operation needs. The one is
//! used again by the next operation of its thread, where nobody can tell (`spare`).
//!
//! # Invariants
//!
//! 1. **The status only goes forward**, and is written by whoever drives the operation alone: once to running, once to its
//!    end. "Cancelling" is not stored; it is "running" with a token that is cancelled.
//! 2. **The token is made on first need.** Before that nobody outside can have asked this operation to stop, and whether
//!    one that encloses it was asked, its parent knows. A driver that has to wait before there is one leaves its waker here,
//!    and whoever makes the token wakes it, so that it goes on to wait there: both under one lock, so neither misses the
//!    other. One whose handle is the only one leaves nothing: nobody can make a token while it waits. It counts the
//!    handles before it looks for a token, so it sees the token of a handle that has gone.
//! 3. **No callback runs under the lock.**

mod asking;
mod owing;
mod parent;
mod reports;
mod snapshot;
mod spare;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use cancelable_core::{Cancellation, CancellationToken, OperationStatus, Pace, Progress};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tracing::Span;

use super::current::Shielded;
use super::watched::Watched;
use super::{Budgets, Callbacks, Companion, Duties, Operation, callbacks, trace};
use parent::EndedParent;

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
    /// Whether there ever was one: written by the driver alone.
    has_left_waker: AtomicBool,
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
    /// The parent that it was given, where that one had ended before.
    ended_parent: Option<EndedParent>,
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
    /// Whoever looks at it from outside.
    watched: OnceLock<Watched>,
    /// Where a subscriber wants one.
    span: OnceLock<Span>,
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
    /// Facts that were added while it ran.
    metadata: Map<String, Value>,
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
    /// A record with nothing in it but this.
    #[inline]
    fn blank(start: Instant, deadline: Option<Instant>) -> Self {
        Self {
            status: AtomicU8::new(PENDING),
            start,
            deadline,
            parent: None,
            token: OnceLock::new(),
            waiting: Mutex::new(None),
            has_left_waker: AtomicBool::new(false),
            about: None,
            shield: None,
            late: OnceLock::new(),
        }
    }

    /// The record of an operation of which nothing was said but what encloses it.
    pub(crate) fn inside(
        parent: Operation,
        shield: Option<Shielded>,
        start: Instant,
        deadline: Option<Instant>,
    ) -> Self {
        let mut record = Self::blank(start, deadline);
        record.parent = Some(parent);
        record.shield = shield.map(Box::new);
        record
    }

    pub(crate) fn new(
        start: Instant,
        deadline: Option<Instant>,
        parent: Option<Operation>,
        about: About,
        callbacks: Option<Callbacks>,
    ) -> Self {
        let mut record = Self::blank(start, deadline);
        record.parent = parent;
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

    pub(crate) fn attempt(&self) -> u32 {
        self.given_attempt().unwrap_or(1)
    }

    pub(super) fn given_attempt(&self) -> Option<u32> {
        self.about.as_ref()?.attempt
    }

    pub(crate) fn has_metadata(&self, key: &str, value: &Value) -> bool {
        let late = self.late.get();
        let added = late.and_then(|late| {
            let changing = late.changing.lock();
            changing.metadata.get(key).map(|added| added == value)
        });
        added.unwrap_or_else(|| {
            let about = self.about.as_ref();
            about.is_some_and(|about| about.metadata.get(key) == Some(value))
        })
    }

    pub(crate) fn set_metadata(&self, key: String, value: Value) {
        let old = self.change(|changing| changing.metadata.insert(key, value));
        drop(old);
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.about.as_ref()?.name.as_deref()
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

    #[inline]
    pub(crate) fn set_running(&self) {
        self.status.store(RUNNING, Ordering::Release);
        if let Some(watched) = self.watched()
            && !self.is_cancelled()
        {
            watched.started();
        }
    }

    /// Sets the terminal status, and then tells those who wanted to hear of it.
    pub(crate) fn end(&self, ending: Ending) {
        let (status, error) = match ending {
            Ending::Completed => (COMPLETED, None),
            Ending::Cancelled => (CANCELLED, None),
            Ending::Failed(error) => (FAILED, Some(error)),
        };
        // Subscribers are told of an ask here: they are somebody else's code, not to be called under the lock.
        self.notice_ask();
        let mut callbacks = self.change(|changing| {
            let at = Instant::now();
            let asked = self.noticed_before(at);
            changing.is_closed = true;
            changing.end = Some(End { at, asked });
            changing.error = error;
            // Under the lock, so that no snapshot sees an end without its time.
            self.status.store(status, Ordering::Release);
            std::mem::take(&mut changing.callbacks)
        });
        if self.watched().is_some() || self.span().is_some() {
            self.tell_end();
        }
        if !callbacks.end_unheard() {
            let (what, heard) = match status {
                COMPLETED => ("on_complete", &mut callbacks.complete),
                CANCELLED => ("on_cancel", &mut callbacks.cancel),
                _ => ("on_error", &mut callbacks.error),
            };
            self.call(what, std::mem::take(heard));
        }
        callbacks.discard();
    }

    #[cold]
    fn tell_end(&self) {
        let context = self.context();
        if let Some(watched) = self.watched() {
            watched.ended(&context);
        }
        if let Some(span) = self.span() {
            trace::ended(span, &context);
        }
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

    /// Begins what goes beside it, and keeps that until its end.
    pub(crate) fn begin_companions(&self, with: &Operation, mut all: Vec<Box<dyn Companion>>) {
        if all.is_empty() {
            return;
        }
        for companion in &mut all {
            callbacks::call("during", || companion.begin(with));
        }
        self.change(|changing| changing.callbacks.companions = all);
    }

    /// From now on somebody who has no handle may ask it to stop, and see how it ends.
    pub(super) fn expect_visitors(&self) {
        self.token();
        self.late();
    }

    pub(super) fn set_watched(&self, watched: Watched) {
        let is_first = self.late().watched.set(watched).is_ok();
        debug_assert!(is_first, "it is registered once, at its start");
    }

    #[inline]
    fn watched(&self) -> Option<&Watched> {
        self.late.get()?.watched.get()
    }

    pub(super) fn set_span(&self, span: Span) {
        let is_first = self.late().span.set(span).is_ok();
        debug_assert!(is_first, "its span is made once, at its start");
    }

    /// Its span, where a subscriber wants one: one load where nothing came about.
    #[inline]
    pub(super) fn span(&self) -> Option<&Span> {
        self.late.get()?.span.get()
    }

    /// Whether anything came about that its end has to be told to.
    #[inline]
    pub(crate) fn is_eventful(&self) -> bool {
        self.late.get().is_some()
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
