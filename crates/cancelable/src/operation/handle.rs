//! [`Operation`], the handle to a running operation.

use std::fmt;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use cancelable_core::{
    Cancellation, CancellationToken, OperationContext, OperationStatus, Origin, Progress, Reason,
};
use serde_json::Value;
use tokio::time::Instant;

use super::current;
use super::record::Record;

/// A handle to a running operation. Cloning it gives another; they may outlive the operation, and tell how it ended.
///
/// It is what [`Cancelable::run`](crate::Cancelable::run) gives to its body, and what [`current`](Self::current) finds
/// without being handed anything.
#[derive(Clone)]
pub struct Operation {
    pub(crate) record: Arc<Record>,
}

impl Operation {
    /// The innermost operation that is running where this is called: in its body, and nowhere else.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::{Cancelable, Operation};
    ///
    /// async fn deep_inside() -> String {
    ///     Operation::current().expect("called in a body").name().unwrap().to_owned()
    /// }
    ///
    /// assert!(Operation::current().is_none());
    /// let name = Cancelable::new().name("import").run(async |_| deep_inside().await).await;
    /// assert_eq!(name.unwrap(), "import");
    /// # }
    /// ```
    pub fn current() -> Option<Self> {
        current::current()
    }

    /// The id that it was given, or else a random one (UUID version 4).
    pub fn id(&self) -> &str {
        self.record.id()
    }

    /// The name that it was given.
    pub fn name(&self) -> Option<&str> {
        self.record.name()
    }

    /// Which attempt at its work it is, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.record.attempt()
    }

    /// Where it stands.
    pub fn status(&self) -> OperationStatus {
        self.record.status()
    }

    /// A snapshot of all that is known about it.
    pub fn context(&self) -> OperationContext {
        self.record.context()
    }

    /// The token that is cancelled when the operation is, and the other way round.
    ///
    /// Its [`deadline`](CancellationToken::deadline) does not include the operation's own, which runs on the runtime's
    /// clock; [`Operation::deadline`] does.
    pub fn token(&self) -> &CancellationToken {
        self.record.token()
    }

    /// Has the operation cancelled when `token` is, with that one's reason and message.
    pub fn link(&self, token: &CancellationToken) {
        self.token().link(token);
    }

    /// Asks the operation to stop, with reason [`Manual`](Reason::Manual); `true` if this was the first ask.
    ///
    /// What it does to the body: it is woken, polled once more, and dropped at the await that it has reached if it is still
    /// pending. (One that is asked while it is being polled has had that poll; and one whose own time limit or condition fires
    /// has none, so that running out of time cannot look like success.) A body that has ended is not touched, and then this
    /// has no effect but on what shares the token.
    pub fn cancel(&self) -> bool {
        self.cancel_with(Reason::Manual)
    }

    /// The same with a message, a [`Reason`] or a whole [`Cancellation`].
    pub fn cancel_with(&self, why: impl Into<Cancellation>) -> bool {
        let is_first = self.token().cancel_with(why);
        self.record.notice_ask();
        is_first
    }

    /// Whether it was asked to stop.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.record.is_cancelled()
    }

    /// Why it was asked to stop, if it was.
    pub fn cancellation(&self) -> Option<Cancellation> {
        self.record.cancellation()
    }

    /// Goes on if it was not asked to stop, for `?` in the middle of work.
    ///
    /// The operation's own time limit is looked at between two polls of the body, so a loop that never awaits does not hear
    /// of it here.
    ///
    /// # Errors
    ///
    /// Why it was asked to stop.
    #[inline]
    pub fn check(&self) -> Result<(), Cancellation> {
        match self.cancellation() {
            None => Ok(()),
            Some(why) => Err(why),
        }
    }

    /// Waits until it is asked to stop, and says why.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped and made anew at any time; nothing is missed.
    pub async fn cancelled(&self) -> Cancellation {
        let why = self.token().cancelled().await;
        self.cancellation().unwrap_or(why)
    }

    /// When its time is up: the earliest of its own limit, of what its [sources](crate::source) know, of those of the
    /// operations around it, and of those of the tokens that it is linked to. `None` where there is no limit.
    ///
    /// Inside a [shield](Self::shield) it is the shield's own bound, if it has one.
    pub fn deadline(&self) -> Option<Instant> {
        if let Some(shielded) = current::shielded(self) {
            return shielded.until;
        }
        // A token's deadline runs on another clock: it crosses as time remaining.
        let left = self.token().remaining();
        let linked = left.and_then(|left| Instant::now().checked_add(left));
        let limits = self.record.reached_from();
        let own = limits.filter_map(Record::own_deadline);
        own.chain(linked).min()
    }

    /// The time that is left until [`deadline`](Self::deadline), zero once that has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline()
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Adds one more fact about it to its [metadata](crate::Cancelable::metadata), or puts another value in place of one.
    ///
    /// Snapshots that are taken from now on have it, as does that in the history of a registry; filters see it at once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::{Cancelable, Filter, Registry};
    ///
    /// let registry = Registry::new();
    /// let plan = Cancelable::new().metadata("table", "users").registered_in(&registry);
    /// plan.run(async |op| op.set_metadata("rows", 7)).await.unwrap();
    /// let wanted = Filter::new().metadata("table", "users").metadata("rows", 7);
    /// assert_eq!(registry.history(&wanted).len(), 1);
    /// # }
    /// ```
    pub fn set_metadata(&self, key: impl Into<String>, value: impl Into<Value>) {
        self.record.set_metadata(key.into(), value.into());
    }

    /// Tells how far it has come: to its own progress callbacks in the order of their registration, then to those of the
    /// operations around it, from the inside out.
    ///
    /// A callback that panics is logged and harms neither the work nor the other callbacks.
    pub fn report_progress(&self, progress: impl Into<Progress>) {
        let progress = progress.into();
        let mut around = Some(self);
        while let Some(operation) = around {
            operation.record.report(self, progress.clone());
            around = operation.record.parent.as_ref();
        }
    }

    /// Has `callback` called with every report of progress from now on, its own and those of the operations inside it, each
    /// with the operation that made it.
    pub fn on_progress(&self, callback: impl Fn(&Self, &Progress) + Send + Sync + 'static) {
        self.record.on_progress(Arc::new(callback));
    }

    /// Ends it because its time is up, unless it was asked to stop before.
    #[cold]
    pub(crate) fn time_out(&self, deadline: Instant) {
        if !self.is_cancelled() {
            let limit = deadline.saturating_duration_since(self.record.start);
            self.cancel_with(Origin::timeout(limit));
        }
    }

    /// Looks at the clock, for code that keeps its driver from doing so; and if its time is up, or that of an operation
    /// around it, that one is over.
    pub(crate) fn look_at_the_clock(&self) {
        let around = iter::successors(Some(self), |operation| operation.record.above());
        let limits = around.filter_map(|operation| {
            let deadline = operation.record.own_deadline()?;
            Some((deadline, operation))
        });
        // The clock is not read where nothing needs it.
        if let Some((deadline, operation)) = limits.min_by_key(|(deadline, _)| *deadline)
            && deadline <= Instant::now()
        {
            operation.time_out(deadline);
        }
    }

    /// Whether this is the only handle. What was done through others is seen then.
    #[inline]
    pub(crate) fn is_only_handle(&self) -> bool {
        let is_only = Arc::strong_count(&self.record) == 1;
        // Acquire: pairs with the release by which a handle counts down as it goes.
        fence(Ordering::Acquire);
        is_only
    }

    /// Whether nobody can ever know how it ends: this is the only handle, and there is nobody to tell.
    #[inline]
    pub(crate) fn is_unseen(&self) -> bool {
        self.is_only_handle() && !self.record.is_eventful()
    }

    /// What tells two operations apart while both are alive.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.record).addr()
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("status", &self.status())
            .field("cancellation", &self.cancellation())
            .finish()
    }
}
