//! [`CancellationToken`], the handle that users hold.

use std::fmt;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::Cancellation;
use crate::Reason;
use crate::sync::Arc;

use super::node::Node;
use super::{
    Cancelled, CancelledOwned, DropGuard, DropGuardRef, Registration, RunUntilCancelled,
    RunUntilCancelledOwned, WakerSlot, WeakCancellationToken, blocking, deadline, links, mark,
    splice, tree,
};

/// A token that is cancelled at most once, says why, and takes its descendants with it.
///
/// Cloning it gives another handle to the same token. Every method works on any thread and none needs a runtime. Dropping
/// handles cancels nothing; see [`drop_guard`](Self::drop_guard) for that.
///
/// # Examples
///
/// A thread that stops when it is told to:
///
/// ```
/// use cancelable_core::CancellationToken;
///
/// let token = CancellationToken::new();
/// let worker = std::thread::spawn({
///     let token = token.clone();
///     move || {
///         let mut rounds = 0_u64;
///         while !token.is_cancelled() {
///             rounds += 1;
///         }
///         rounds
///     }
/// });
/// token.cancel_with("that will do");
/// worker.join().unwrap();
/// ```
///
/// A task that waits for its work or for the cancel, whichever is first:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use cancelable_core::{CancellationToken, Reason};
/// use std::time::Duration;
///
/// let token = CancellationToken::new();
/// token.cancel_after(Duration::from_millis(20));
///
/// let outcome = token.run_until_cancelled(std::future::pending::<()>()).await;
/// assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
/// # }
/// ```
///
/// # Limits
///
/// A token keeps its ancestors alive, not its descendants, and a link keeps nobody alive: a deadline of a token that only
/// links lead to ends with the last handle to it.
#[derive(Clone)]
pub struct CancellationToken {
    pub(super) node: Arc<Node>,
}

impl CancellationToken {
    /// A token that nothing has cancelled.
    #[inline]
    pub fn new() -> Self {
        Self {
            node: Arc::default(),
        }
    }

    /// A token that is cancelled when any of `tokens` is, with that one's reason and message.
    ///
    /// Of several that are cancelled already, the first given counts. With no tokens at all it is a plain new one.
    ///
    /// ```
    /// use cancelable_core::CancellationToken;
    ///
    /// let (user, shutdown) = (CancellationToken::new(), CancellationToken::new());
    /// let either = CancellationToken::linked([&user, &shutdown]);
    /// shutdown.cancel_with("shutting down for the night");
    /// assert_eq!(either.cancellation(), shutdown.cancellation());
    /// ```
    pub fn linked<'a>(tokens: impl IntoIterator<Item = &'a Self>) -> Self {
        let linked = Self::new();
        for token in tokens {
            linked.link(token);
        }
        linked
    }

    /// A token that is cancelled when every one of `tokens` is, with the reason and message of the last that was.
    ///
    /// With no tokens at all nothing is waited for, and so nothing fires: it is a plain new one. A token given twice counts
    /// once. If one of `tokens` is dropped without having been cancelled, this one is never cancelled by the others.
    pub fn all_of<'a>(tokens: impl IntoIterator<Item = &'a Self>) -> Self {
        let all = Self::new();
        let members: Vec<_> = tokens
            .into_iter()
            .map(|token| Arc::clone(&token.node))
            .collect();
        links::all_of(&all.node, &members);
        all
    }

    /// A token that is cancelled when this one is, with reason [`Parent`](Reason::Parent), and can be cancelled by itself.
    ///
    /// A child of a cancelled token is born cancelled. A child that is dropped leaves no trace in its parent.
    #[inline]
    #[must_use = "a child that is not kept is gone"]
    pub fn child_token(&self) -> Self {
        Self {
            node: tree::child_of(&self.node),
        }
    }

    /// Has this token cancelled when `other` is, with `other`'s reason and message; at once if it is already.
    ///
    /// A token can be linked to any number of others. Linking in a circle is fine, twice counts once, and linking to itself
    /// does nothing. The link keeps neither alive.
    pub fn link(&self, other: &Self) {
        links::link(&self.node, &other.node);
    }

    /// Cancels the token and its descendants with reason [`Manual`](Reason::Manual); `true` if this call was the one that
    /// did.
    ///
    /// When it returns, either way, every descendant is cancelled. If it was `true`, the wakers were woken and the callbacks
    /// have run, on this thread; if it was `false`, another thread may still be about that. A callback that panics is reported
    /// by the panic hook and stops nothing.
    pub fn cancel(&self) -> bool {
        self.cancel_with(Reason::Manual)
    }

    /// The same with a message, a [`Reason`], an [`Origin`](crate::Origin), or a whole [`Cancellation`].
    ///
    /// The first cancel wins: what it gave never changes.
    ///
    /// ```
    /// # use cancelable_core::CancellationToken;
    /// let token = CancellationToken::new();
    /// assert!(token.cancel_with("the first"));
    /// assert!(!token.cancel_with("the second"));
    /// assert_eq!(token.cancellation().unwrap().message(), "the first");
    /// ```
    pub fn cancel_with(&self, why: impl Into<Cancellation>) -> bool {
        mark::cancel(&self.node, &why.into())
    }

    /// Whether the token is cancelled: one atomic load.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Why the token was cancelled; `None` if it was not.
    ///
    /// It is kept where the cancel was called, and looked for upwards from here: that takes time with the generations between.
    pub fn cancellation(&self) -> Option<Cancellation> {
        Node::cancellation(&self.node)
    }

    /// Goes on if the token is not cancelled, for `?` in the middle of work.
    ///
    /// # Errors
    ///
    /// Why the token was cancelled, if it was.
    #[inline]
    pub fn check(&self) -> Result<(), Cancellation> {
        match self.cancellation() {
            None => Ok(()),
            Some(why) => Err(why),
        }
    }

    /// Waits until the token is cancelled, and says why.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped and made anew at any time; a token that is cancelled stays so, and nothing is missed.
    #[inline]
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled::new(self)
    }

    /// [`cancelled`](Self::cancelled) for a hand-written future, which keeps `slot` from poll to poll and
    /// [clears](WakerSlot::clear) it before it goes.
    ///
    /// # Panics
    ///
    /// If `slot` was used with another token that is still there.
    #[inline]
    pub fn poll_cancelled(&self, slot: &mut WakerSlot, cx: &mut Context<'_>) -> Poll<Cancellation> {
        slot.poll(self, cx)
    }

    /// [`cancelled`](Self::cancelled) with a handle of its own, for a future that must be `'static`.
    pub fn cancelled_owned(self) -> CancelledOwned {
        CancelledOwned::new(self)
    }

    /// Runs `future` until it is done or the token is cancelled, whichever is first.
    ///
    /// If the token is cancelled before the first poll, `future` is never polled. After that `future` is polled first, so
    /// one that is done in the same instant as the cancel counts as done.
    ///
    /// # Errors
    ///
    /// Why the token was cancelled. `future` is dropped with what is returned here, wherever it was: at the await that it
    /// had reached.
    ///
    /// # Cancel safety
    ///
    /// Dropping what is returned drops `future`.
    #[inline]
    pub fn run_until_cancelled<F: Future>(&self, future: F) -> RunUntilCancelled<'_, F> {
        RunUntilCancelled::new(self, future)
    }

    /// [`run_until_cancelled`](Self::run_until_cancelled) with a handle of its own.
    pub fn run_until_cancelled_owned<F: Future>(self, future: F) -> RunUntilCancelledOwned<F> {
        RunUntilCancelledOwned::new(self, future)
    }

    /// Blocks this thread until the token is cancelled, and says why.
    ///
    /// For plain threads. On a thread that drives an async runtime everything else on that thread stands still meanwhile; a
    /// cancel from another thread, and a deadline, are heard all the same, one from a task of that thread never.
    pub fn blocking_cancelled(&self) -> Cancellation {
        blocking::wait(self, None).expect("without a deadline it waits for the cancel")
    }

    /// Blocks this thread until the token is cancelled, or for as long as `timeout`; then `None`.
    ///
    /// See [`blocking_cancelled`](Self::blocking_cancelled). A timeout too long for the clock is none.
    pub fn blocking_cancelled_timeout(&self, timeout: Duration) -> Option<Cancellation> {
        blocking::wait(self, Instant::now().checked_add(timeout))
    }

    /// Has `callback` called when the token is cancelled, once, on the thread that cancels it; at once, on this thread, if it
    /// is already.
    ///
    /// Callbacks run in the order of their registration, after all waiters have been woken, with no lock held: they may do
    /// anything to any token. A slow one holds up those that come after it, and the `cancel` that called it; but a deadline's
    /// run on a thread of their own. One that panics is reported by the panic hook and stops nothing. A detached callback that
    /// holds a handle to its own token keeps that alive until it is cancelled; a [weak](Self::downgrade) one does not.
    pub fn on_cancel(&self, callback: impl FnOnce(&Cancellation) + Send + 'static) -> Registration {
        Registration::new(&self.node, Box::new(callback))
    }

    /// A guard that cancels the token when it is dropped, with reason [`Dropped`](Reason::Dropped).
    pub fn drop_guard(self) -> DropGuard {
        DropGuard::new(self)
    }

    /// The same for a borrowed token.
    pub fn drop_guard_ref(&self) -> DropGuardRef<'_> {
        DropGuardRef::new(self)
    }

    /// Has the token cancelled with reason [`Timeout`](Reason::Timeout) once `timeout` has passed, by a timer that needs no
    /// runtime.
    ///
    /// Never early, and late by up to a millisecond and what the machine needs. Of several deadlines the earliest counts. A
    /// timeout of zero cancels at once; one too long for the clock, such as [`Duration::MAX`], is none. The token need not be
    /// polled, but something must hold it: a handle, or a child.
    ///
    /// # Panics
    ///
    /// If the timer's thread, which is started on first need, cannot be started.
    pub fn cancel_after(&self, timeout: Duration) {
        if let Some(at) = Instant::now().checked_add(timeout) {
            deadline::arm(&self.node, at, timeout);
        }
    }

    /// The same with a point in time; one in the past cancels at once.
    ///
    /// # Panics
    ///
    /// As [`cancel_after`](Self::cancel_after).
    pub fn cancel_at(&self, deadline: Instant) {
        let after = deadline.saturating_duration_since(Instant::now());
        deadline::arm(&self.node, deadline, after);
    }

    /// The deadline that counts: the earliest of its own, its ancestors' and those of what it is linked to; of an all-of
    /// token's members the latest, and once they all have fired that of the last. `None` where there is none.
    ///
    /// One that has passed stays a fact, also for a child that is born after it.
    /// It looks around the tree, and so takes time with the number of ancestors and links.
    pub fn deadline(&self) -> Option<Instant> {
        deadline::effective(&self.node)
    }

    /// The time until [`deadline`](Self::deadline), zero once it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline()
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// A handle that does not keep the token alive.
    pub fn downgrade(&self) -> WeakCancellationToken {
        WeakCancellationToken::new(self)
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for CancellationToken {
    #[inline]
    fn drop(&mut self) {
        splice::handle_goes(&self.node);
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("cancellation", &self.cancellation())
            .finish()
    }
}
