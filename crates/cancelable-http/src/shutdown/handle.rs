//! [`Shutdown`], the face: beginning one, linking operations to it, waiting until they have ended.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, CancellationToken, DropGuard, Reason};
use tokio::time::timeout_at;

use super::members::{Member, Members};
use super::report::Report;

/// The end of a service, asked for at once and waited for: operations that are [linked](Self::plan) to it are asked to stop as it
/// begins, have its grace to finish by themselves, and those that have not ended by then are named.
///
/// Clones are handles to the same shutdown. It needs no web server: a worker's jobs are linked to it just as requests are.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use cancelable::{Cancelable, Reason};
/// use cancelable_http::Shutdown;
/// use std::time::Duration;
/// use tokio::time::sleep;
///
/// let shutdown = Shutdown::new().grace(Duration::from_secs(10));
/// let job = |name, takes| shutdown.plan(Cancelable::new().name(name)).run(async move |_| sleep(takes).await);
/// let quick = tokio::spawn(job("quick", Duration::from_secs(5)));
/// let slow = tokio::spawn(job("slow", Duration::from_secs(3600)));
/// tokio::task::yield_now().await;
///
/// shutdown.begin();
/// let report = shutdown.finished().await;
/// assert_eq!(report.asked(), 2);
/// assert!(report.is_clean());
/// assert_eq!(quick.await.unwrap(), Ok(()));
/// assert_eq!(slow.await.unwrap().unwrap_err().reason(), Reason::Shutdown);
///
/// // What comes too late is cancelled before it starts.
/// assert!(job("late", Duration::ZERO).await.is_err());
/// # }
/// ```
#[derive(Clone)]
#[must_use = "operations hear of it only if they are linked to it, by `plan`"]
pub struct Shutdown {
    pub(super) shared: Arc<Shared>,
}

/// What all handles of a shutdown share.
pub(super) struct Shared {
    /// Cancelled by `members`, together with all of them.
    pub(super) begun: CancellationToken,
    pub(super) members: Members,
    /// Nanoseconds; the largest number is without end.
    grace: AtomicU64,
    /// Ends whoever listens for signals, once nobody has a handle any more.
    pub(super) _listening: Option<DropGuard>,
}

impl Shutdown {
    /// A shutdown that has not begun, with a grace of 10 seconds.
    pub fn new() -> Self {
        Self::with(None)
    }

    pub(super) fn with(listening: Option<DropGuard>) -> Self {
        let shared = Arc::new(Shared {
            begun: CancellationToken::new(),
            members: Members::default(),
            grace: AtomicU64::new(as_nanos(GRACE)),
            _listening: listening,
        });
        Self { shared }
    }

    /// How long operations have, once asked, to finish by themselves; then their bodies are dropped, at the await that they have
    /// reached. [`Duration::ZERO`] drops them at once, [`Duration::MAX`] never.
    ///
    /// It holds for what is linked to any handle from now on.
    pub fn grace(self, grace: Duration) -> Self {
        // Relaxed: a number by itself, which orders nothing.
        self.shared.grace.store(as_nanos(grace), Ordering::Relaxed);
        self
    }

    /// Begins it: every linked operation that runs is asked to stop, with reason [`Shutdown`](Reason::Shutdown), before this
    /// returns. `true` if it had not begun before; only the first time counts.
    ///
    /// All of them are marked as cancelled before anybody is told, so none waits for what another does about it. Then all that wait
    /// are woken, and callbacks run on this thread, one after the other. Where it returns `false`, all have been marked as well,
    /// and another thread may still be about the rest.
    pub fn begin(&self) -> bool {
        self.begin_with(Reason::Shutdown)
    }

    /// The same with a message, for the operations to tell; of a [`Cancellation`] only the message is taken.
    ///
    /// ```
    /// # use cancelable_http::Shutdown;
    /// let shutdown = Shutdown::new();
    /// assert!(shutdown.begin_with("version 7 takes over"));
    /// assert!(!shutdown.begin_with("too late"));
    /// assert_eq!(shutdown.why().unwrap().message(), "version 7 takes over");
    /// ```
    pub fn begin_with(&self, why: impl Into<Cancellation>) -> bool {
        let why = why.into();
        let shutdown = match (why.reason(), why.cause()) {
            (Reason::Shutdown, None) => why,
            // Without its cause: what is judged by its root cause is to find the shutdown there.
            _ => Cancellation::new(Reason::Shutdown).with_message(why.message().into_owned()),
        };
        self.shared.members.ask(&self.shared.begun, &shutdown)
    }

    /// Whether it has begun.
    pub fn is_begun(&self) -> bool {
        self.shared.begun.is_cancelled()
    }

    /// Why it has begun, if it has.
    pub fn why(&self) -> Option<Cancellation> {
        self.shared.begun.cancellation()
    }

    /// Waits until it begins: what servers take, as `axum::serve(…).with_graceful_shutdown(shutdown.begun())`, to accept no more
    /// connections from then on.
    ///
    /// The future holds a handle of its own. It can be dropped and made anew at any time; nothing is missed.
    pub fn begun(&self) -> impl Future<Output = ()> + Send + 'static {
        let shutdown = self.clone();
        async move {
            shutdown.shared.begun.cancelled().await;
        }
    }

    /// Links what `plan` will run to this shutdown: asked to stop as it begins, with its [grace](Self::grace) and reason
    /// [`Shutdown`](Reason::Shutdown); cancelled from the start where it has begun.
    ///
    /// The grace holds for this reason alone, so what else ends the operation ends it as the plan says. A plan that says another grace
    /// for this reason after that has its own, and may outlast the shutdown. The operation is held weakly, and forgotten as it
    /// ends.
    pub fn plan(&self, plan: Cancelable) -> Cancelable {
        let shared = Arc::clone(&self.shared);
        plan.grace_on(Reason::Shutdown, self.current_grace())
            .during(move |operation| Member::join(shared, operation))
    }

    /// How many linked operations have started and not ended.
    pub fn running(&self) -> usize {
        self.shared.members.count()
    }

    /// Waits until it has begun and all linked operations have ended; at most for the grace, and five seconds more for what comes
    /// after it: finalizers, and threads that do not listen. Then it names those still running, in the report and by a warning
    /// each.
    ///
    /// Nothing is dropped by this: operations are driven by whoever runs them, tasks that are not polled any more do not end.
    ///
    /// # Panics
    ///
    /// If it has to wait outside of a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped and made anew at any time; the time that operations have counts from the beginning of the
    /// shutdown.
    pub async fn finished(&self) -> Report {
        let report = self.ended().await;
        report.warn();
        report
    }

    /// [`finished`](Self::finished), without a warning.
    pub(super) async fn ended(&self) -> Report {
        let members = &self.shared.members;
        let (asked, begun) = members.asked().await;
        let patience = self.current_grace().checked_add(PATIENCE);
        match patience.and_then(|patience| begun.checked_add(patience)) {
            // Out of time or not, what counts is who is left.
            Some(end) => timeout_at(end, members.gone()).await.unwrap_or(()),
            None => members.gone().await,
        }
        Report::new(asked, begun.elapsed(), members.all())
    }

    fn current_grace(&self) -> Duration {
        // Relaxed: a number by itself, which orders nothing.
        match self.shared.grace.load(Ordering::Relaxed) {
            u64::MAX => Duration::MAX,
            nanos => Duration::from_nanos(nanos),
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("grace", &self.current_grace())
            .field("why", &self.why())
            .field("running", &self.running())
            .finish()
    }
}

fn as_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How long operations have to finish by themselves unless said.
const GRACE: Duration = Duration::from_secs(10);

/// How long it waits beyond the grace: as long as an operation waits for threads that do not listen.
const PATIENCE: Duration = Duration::from_secs(5);
