//! [`Cancelable`], which says how an operation may end before there is one.

mod heard;

use std::fmt;
use std::time::Duration;

use cancelable_core::{CancellationToken, Reason, Registry};
use serde_json::Value;
use tokio::time::Instant;

use crate::Signal;
use crate::operation::{
    About, Callbacks, Cleanup, Companion, During, Finalizer, Graces, Operation,
};
use crate::source::{self, Answer, BoxedSource, Source};

/// How an operation may end: time limits, tokens, signals, conditions, and whom to tell. Nothing runs until it is
/// [run](Self::run).
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use cancelable::{Cancelable, CancellationToken, Reason};
/// use std::time::Duration;
///
/// let stop_button = CancellationToken::new();
/// let outcome = Cancelable::new()
///     .name("import")
///     .timeout(Duration::from_secs(10))
///     .token(&stop_button)
///     .run(async |_| {
///         tokio::time::sleep(Duration::from_secs(60)).await;
///         "imported"
///     })
///     .await;
/// assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
/// # }
/// ```
#[derive(Default)]
#[must_use = "nothing happens until it is run"]
pub struct Cancelable {
    pub(crate) timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) is_detached: bool,
    pub(crate) more: Option<Box<More>>,
}

/// What not every operation is given.
#[derive(Default)]
pub(crate) struct More {
    pub(crate) about: About,
    pub(crate) parent: Option<Operation>,
    pub(crate) signals: Vec<Signal>,
    pub(crate) sources: Vec<BoxedSource>,
    pub(crate) registries: Vec<Registry>,
    pub(crate) graces: Graces,
    pub(crate) finalizers: Vec<Finalizer>,
    pub(crate) companions: Vec<Box<dyn Companion>>,
    /// `None` while nobody wants to hear anything.
    pub(crate) callbacks: Option<Callbacks>,
}

impl Cancelable {
    /// An operation that nothing but what encloses it can end.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// A name for people to know it by; need not be unique.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.about().name = Some(name.into());
        self
    }

    /// An id to address it by, in place of a random one. Who gives ids sees to it that two live operations never share one; a
    /// [registry](Self::registered) refuses the second.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.about().id = Some(id.into());
        self
    }

    /// Which attempt at the work with this id it is; 1 unless said.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.about().attempt = Some(attempt);
        self
    }

    /// One more fact about it, for whoever looks at running operations.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.about().metadata.insert(key.into(), value.into());
        self
    }

    /// The operation that it is cancelled with, in place of the one that it runs in.
    ///
    /// One that has ended by the start has no limit any more, but it still names the parent, and a cancel of its handle still
    /// reaches this one; as does that of what runs around it.
    pub fn parent(mut self, parent: &Operation) -> Self {
        self.more().parent = Some(parent.clone());
        self
    }

    /// Not cancelled with the operation that it runs in. A [`parent`](Self::parent) that is given stays.
    pub fn detached(mut self) -> Self {
        self.is_detached = true;
        self
    }

    /// Cancelled with reason [`Timeout`](crate::Reason::Timeout) this long after it starts, on the runtime's clock.
    ///
    /// Of several the earliest counts. Zero is cancelled before its first poll; one too long for the clock, such as
    /// [`Duration::MAX`], is none.
    #[inline]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(self.timeout.map_or(timeout, |own| own.min(timeout)));
        self
    }

    /// The same at a point in time: tokio's `Instant` or the standard library's. One in the past is cancelled before its
    /// first poll.
    pub fn deadline(mut self, deadline: impl Into<Instant>) -> Self {
        let deadline = deadline.into();
        self.deadline = Some(self.deadline.map_or(deadline, |own| own.min(deadline)));
        self
    }

    /// Cancelled when `token` is, with its reason and message.
    pub fn token(mut self, token: &CancellationToken) -> Self {
        self.about().tokens.push(token.clone());
        self
    }

    /// Cancelled with reason [`Signal`](crate::Reason::Signal) when the process receives `signal`.
    ///
    /// The signal's default action, mostly the end of the process, is held back while an operation that listens for it runs,
    /// and only then. A handler that the program had before is called as well.
    pub fn signal(mut self, signal: Signal) -> Self {
        self.more().signals.push(signal);
        self
    }

    /// Cancelled with reason [`Condition`](crate::Reason::Condition) when `check` answers `true`.
    ///
    /// It is asked when the body first has to wait, and then again this long after each answer, on the runtime's pool of
    /// blocking threads; so it may block, which stalls nothing but itself. It may answer with a `Result`: one that fails, or
    /// panics, is logged and asked again. A check that is at work when the operation ends is left to end by itself.
    ///
    /// # Panics
    ///
    /// If `interval` is zero.
    #[track_caller]
    pub fn condition<A: Answer + 'static>(
        self,
        name: impl Into<String>,
        interval: Duration,
        check: impl FnMut() -> A + Send + 'static,
    ) -> Self {
        self.source(source::condition(name, interval, check))
    }

    /// Cancelled when `source` fires, with its reason and message: one of those in the module [`source`], which nest in any
    /// mix, or one of your own. As many as wanted; the first that fires counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::source::{self, Source};
    /// use cancelable::{Cancelable, CancellationToken};
    /// use std::time::Duration;
    ///
    /// let (first, second) = (CancellationToken::new(), CancellationToken::new());
    /// let both = source::token(&first).and(source::token(&second));
    /// let plan = Cancelable::new().source(both).source(source::timeout(Duration::from_secs(60)));
    /// first.cancel_with("one voice");
    /// second.cancel_with("another");
    /// let why = plan.run(async |_| std::future::pending::<()>().await).await.unwrap_err();
    /// assert_eq!(why.message(), "one voice, and another");
    /// # }
    /// ```
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.more().sources.push(source.boxed());
        self
    }

    /// Cancelled with reason [`Condition`](crate::Reason::Condition) when its [streams](Operation::stream) have delivered
    /// `n` items, all of them together, and one more is asked for.
    ///
    /// The one more is not taken from its source, so nothing is lost. A source that says by its `size_hint` that it has no
    /// more may end by itself; of any other nobody can know. Of several budgets the least counts; of zero not one item is
    /// taken. Code without a stream spends by [`spend_items`](Operation::spend_items). Operations inside this one have
    /// budgets of their own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::Cancelable;
    /// use futures_util::{StreamExt, stream};
    ///
    /// let outcome = Cancelable::new()
    ///     .max_items(3)
    ///     .run(async |op| op.stream(stream::iter(1..)).collect::<Vec<_>>().await)
    ///     .await
    ///     .unwrap();
    /// let [Ok(1), Ok(2), Ok(3), Err(why)] = &outcome[..] else { panic!() };
    /// assert_eq!(why.message(), "the budget of 3 items is spent");
    /// # }
    /// ```
    pub fn max_items(mut self, n: u64) -> Self {
        self.about().budgets.limit_items(n);
        self
    }

    /// The same for bytes, as far as its streams [say](crate::OperationStream::bytes_by) how many an item has.
    ///
    /// An item that goes beyond the budget is delivered, since it has been taken; the next is not taken. Code without a stream
    /// spends by [`spend_bytes`](Operation::spend_bytes).
    pub fn max_bytes(mut self, n: u64) -> Self {
        self.about().budgets.limit_bytes(n);
        self
    }

    /// Listed in the registry of the process, [`Registry::global`], while it runs, and in its history after that.
    ///
    /// The id has to be its own: where another live operation has it, this one is cancelled from the start, with reason
    /// [`Error`](crate::Reason::Error) and a message that names the id.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::{Cancelable, Registry};
    ///
    /// let outcome = Cancelable::new()
    ///     .id("import-7")
    ///     .registered()
    ///     .run(async |op| {
    ///         Registry::global().cancel("import-7", "no longer wanted");
    ///         op.cancelled().await
    ///     })
    ///     .await;
    /// assert_eq!(outcome.unwrap().message(), "no longer wanted");
    /// assert!(Registry::global().get("import-7").unwrap().status.is_terminal());
    /// # }
    /// ```
    pub fn registered(self) -> Self {
        self.registered_in(Registry::global())
    }

    /// The same in a registry of the program's own. It may be listed in several.
    pub fn registered_in(mut self, registry: &Registry) -> Self {
        let registries = &mut self.more().registries;
        // In each once: its id would be taken, by itself.
        if !registries.contains(registry) {
            registries.push(registry.clone());
        }
        self
    }

    /// How long the body may go on once it is asked to stop, to finish by itself; then it is dropped, once its
    /// [shields](Operation::shield) have ended.
    ///
    /// A body that finishes with a value in that time has finished. Spawned tasks have the same time; so have threads, after
    /// which they are left to themselves. Zero is none. While it lasts, a second signal takes its
    /// default action. It holds for this operation's own body: one that encloses it has its own. For a grace that depends on
    /// why it is asked, see [`grace_on`](Self::grace_on).
    pub fn grace(mut self, grace: Duration) -> Self {
        self.more().graces.set(grace);
        self
    }

    /// A [`grace`](Self::grace) that holds only where it is asked to stop for this reason, in place of the one for all others.
    ///
    /// An operation that is cancelled with what encloses it has reason [`Parent`](Reason::Parent), and is judged by the reason
    /// that [that one](cancelable_core::Cancellation::original) was cancelled for. For each reason the last that was said
    /// counts; zero is none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::{Cancelable, CancellationToken, Reason};
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// // Nobody waits for the answer to a client that has left; at a shutdown it may still be given.
    /// let answer = async |why: Reason| {
    ///     let token = CancellationToken::new();
    ///     let plan = Cancelable::new().token(&token).grace_on(Reason::Shutdown, Duration::from_secs(10));
    ///     let body = async |_| {
    ///         token.cancel_with(why);
    ///         sleep(Duration::from_secs(3)).await;
    ///         "the answer"
    ///     };
    ///     plan.run(body).await
    /// };
    /// assert_eq!(answer(Reason::Shutdown).await, Ok("the answer"));
    /// assert!(answer(Reason::Disconnected).await.is_err());
    /// # }
    /// ```
    pub fn grace_on(mut self, reason: Reason, grace: Duration) -> Self {
        self.more().graces.set_on(reason, grace);
        self
    }

    /// The graces that `operation` has, for a part of its work.
    #[cfg(feature = "backon")]
    pub(crate) fn graces_of(mut self, operation: &Operation) -> Self {
        if let Some(duties) = operation.record.duties_if_any() {
            self.more().graces = duties.graces();
        }
        self
    }

    /// Has `clean_up` run when the body is gone, whichever way it ended, and before the operation has ended; of several the
    /// last one first.
    ///
    /// It is not cancelled by what cancelled the body, and has until `limit`: `None` is 30 seconds. Where the future of the run
    /// was dropped, it runs on the runtime that the operation was started on; where there is none that can take it, that is
    /// recorded in the context and warned of. One that fails, panics or takes too long is logged and changes no result. An
    /// operation that never started, since its future was never polled, has nothing to clean up.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::{Cancelable, OperationStatus};
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// let (tell, told) = tokio::sync::oneshot::channel();
    /// let outcome = Cancelable::new()
    ///     .timeout(Duration::from_secs(1))
    ///     .finalizer(None, async move |op| {
    ///         sleep(Duration::from_secs(1)).await;
    ///         tell.send(op.status()).map_err(|_| "nobody listens")
    ///     })
    ///     .run(async |_| sleep(Duration::from_secs(60)).await)
    ///     .await;
    /// assert!(outcome.is_err());
    /// assert_eq!(told.await, Ok(OperationStatus::Cancelling));
    /// # }
    /// ```
    pub fn finalizer<F, Fut>(mut self, limit: impl Into<Option<Duration>>, clean_up: F) -> Self
    where
        F: FnOnce(Operation) -> Fut + Send + 'static,
        Fut: Future<Output: Cleanup> + Send + 'static,
    {
        let finalizer = Finalizer::new(limit.into(), clean_up);
        self.more().finalizers.push(finalizer);
        self
    }

    /// Calls `begin` as the operation starts, before its body, and keeps what that gives until the operation has ended, whichever
    /// way: a guard that is dropped then, after callbacks and finalizers.
    ///
    /// Also where it is cancelled from the start and its body never runs. `begin` may cancel the operation. If it panics, that
    /// is logged, and the operation runs without. It is called where the operation runs, as drop is where it ends, which may be the
    /// thread of the last one to leave; neither must block.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::Cancelable;
    /// use std::sync::Arc;
    ///
    /// let running = Arc::new(());
    /// let counted = running.clone();
    /// let plan = Cancelable::new().during(move |_| counted);
    /// let inside = plan.run(async |_| Arc::strong_count(&running) - 1).await;
    /// assert_eq!(inside, Ok(1));
    /// assert_eq!(Arc::strong_count(&running) - 1, 0);
    /// # }
    /// ```
    pub fn during<F, G>(mut self, begin: F) -> Self
    where
        F: FnOnce(&Operation) -> G + Send + 'static,
        G: Send + 'static,
    {
        let companion = Box::new(During::new(begin));
        self.more().companions.push(companion);
        self
    }

    /// Takes over everything that may end `other`, what is kept [`during`](Self::during) it, and its progress callbacks; whichever
    /// fires first counts.
    pub fn combine(mut self, other: Self) -> Self {
        if let Some(timeout) = other.timeout {
            self = self.timeout(timeout);
        }
        if let Some(deadline) = other.deadline {
            self = self.deadline(deadline);
        }
        if let Some(other) = other.more {
            let more = self.more();
            more.about.tokens.extend(other.about.tokens);
            more.about.budgets.combine(&other.about.budgets);
            more.signals.extend(other.signals);
            more.sources.extend(other.sources);
            more.companions.extend(other.companions);
            if let Some(callbacks) = other.callbacks {
                self.callbacks().progress.extend(callbacks.progress);
            }
        }
        self
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    fn about(&mut self) -> &mut About {
        &mut self.more().about
    }
}

impl Operation {
    /// A [`Cancelable`] with this operation as its parent, wherever it is run.
    pub fn child(&self) -> Cancelable {
        Cancelable::new().parent(self)
    }
}

impl fmt::Debug for Cancelable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.more.as_deref();
        f.debug_struct("Cancelable")
            .field("name", &more.and_then(|more| more.about.name.as_deref()))
            .field("id", &more.and_then(|more| more.about.id.as_deref()))
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .field("tokens", &more.map_or(0, |more| more.about.tokens.len()))
            .field("signals", &more.map_or(&[][..], |more| &more.signals))
            .field("sources", &more.map_or(&[][..], |more| &more.sources))
            .finish_non_exhaustive()
    }
}
