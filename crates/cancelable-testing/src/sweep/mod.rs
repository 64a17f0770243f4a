//! [`Sweep`]: a future is run once for each of its awaits, and cancelled there.
//!
//! How it goes: two runs that are left alone say how many awaits there are, and that they are the same each time. Then there
//! is one run for each way and each await: a fresh state, the future polled until it has given way so often, what is to be
//! done there, the end, whatever tasks are left, and the check.

mod driver;
mod error;
mod leftovers;
mod place;
mod report;
mod runs;
mod subject;
mod way;

use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

use cancelable::CancellationToken;

pub use error::SweepError;
pub use report::Report;
use runs::Runs;
use subject::{Plain, Subject, WithToken};
use way::Spot;
pub use way::{Cut, Way};

/// Runs a future once for each of its awaits, cancels it there, and has an invariant checked after each run.
///
/// A future may be dropped at each of its awaits, by a `select!` that lost, a timeout, a cancelled operation. What it leaves
/// then is rarely tested, since nobody can aim at an await. This does: an await is each time that the future is pending, and
/// they are numbered from 1; 0 is before the first poll.
///
/// It is given three functions: the first makes a fresh state, the second the future over it, the third checks the state once
/// the future is gone, and is told what was done by a [`Cut`]. Where an assertion in there fails, the sweep says what was done, at
/// which await of how many, and where in the source that is:
///
/// ```text
/// the sweep at tests/bank.rs:31:10 found a fault
/// dropped at await 2 of 2: the check failed: no money is lost
/// await 2 is at ./src/bank.rs:14:19
/// ```
///
/// # Examples
///
/// Two accounts, between which money must not get lost:
///
/// ```
/// use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
///
/// use cancelable_testing::Sweep;
/// use tokio::task::yield_now; // stands for a call of a database
///
/// #[derive(Default)]
/// struct Accounts {
///     ours: AtomicI64,
///     theirs: AtomicI64,
/// }
///
/// async fn transfer(accounts: &Accounts) {
///     yield_now().await;
///     accounts.ours.fetch_sub(100, Relaxed);
///     yield_now().await; // dropped here, the money is gone
///     accounts.theirs.fetch_add(100, Relaxed);
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let found = Sweep::new()
///     .try_run(
///         async || Accounts::default(),
///         async |accounts| transfer(accounts).await,
///         async |accounts, _| {
///             assert_eq!(accounts.ours.load(Relaxed) + accounts.theirs.load(Relaxed), 0, "no money is lost");
///         },
///     )
///     .await
///     .unwrap_err();
/// assert_eq!(found.at(), 2);
/// let said = found.to_string();
/// assert!(said.starts_with("dropped at await 2 of 2: the check failed: "), "{said}");
///
/// // The remedy where an operation is cancelled: a section that is not dropped in the middle.
/// use cancelable::Cancelable;
/// use cancelable_testing::Way;
///
/// let report = Sweep::new()
///     .ways([Way::Cancelled])
///     .run(
///         async || Accounts::default(),
///         async |accounts| Cancelable::new().run(async |op| op.shield(transfer(accounts)).await).await,
///         async |accounts, _| {
///             assert_eq!(accounts.ours.load(Relaxed) + accounts.theirs.load(Relaxed), 0, "no money is lost");
///         },
///     )
///     .await;
/// assert_eq!(report.to_string(), "2 awaits: cancelled 3 times");
/// # }
/// ```
///
/// An operation that is given a token, and has its own idea of what a cancel does:
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// use cancelable::{Cancelable, CancellationToken};
/// use cancelable_testing::{Sweep, Way};
/// use tokio::time::sleep;
///
/// async fn import(rows: &Mutex<Vec<u32>>, stop: CancellationToken) -> Result<(), cancelable::Cancellation> {
///     Cancelable::new()
///         .token(&stop)
///         .grace(Duration::from_secs(1))
///         .try_run(async |op| {
///             for row in 0..3 {
///                 op.check()?;
///                 rows.lock().unwrap().push(row);
///                 sleep(Duration::from_millis(100)).await;
///                 rows.lock().unwrap().push(row);
///             }
///             Ok(())
///         })
///         .await
/// }
///
/// let report = Sweep::new()
///     .ways([Way::TokenCancelled])
///     .run_with_token(
///         async || Mutex::new(Vec::new()),
///         async |rows, stop| import(rows, stop).await,
///         async |rows, cut| {
///             let rows = rows.lock().unwrap();
///             assert!(rows.len() % 2 == 0, "{cut}: half a row was written: {rows:?}");
///             assert_eq!(rows.len(), 2 * cut.at().max(if cut.way() == Way::LeftAlone { 3 } else { 0 }));
///         },
///     )
///     .await;
/// assert_eq!(report.awaits(), 3);
/// # }
/// ```
///
/// # What it sees to
///
/// - **Time** may be paused, and had better be: then nobody waits for a sleep, and none is over before it is first polled, as
///   one may be by a real clock on a busy machine, which makes for an await less. On any runtime, or on none.
/// - **Every run is the same**, or there would be no numbers: where two runs that are left alone differ, that is an error which
///   says so. So is a future that has no await at all.
/// - **Nothing is left behind**: what the future has spawned is awaited before the check, and so are finalizers that run
///   without the future of their operation. A task that is still there after [`patience`](Self::patience) is an error. (Of
///   threads it knows nothing.)
/// - **It ends**: a future that is not woken any more, or goes on for ever after a cancel, is an error.
///
/// The futures need not be `Send`, and so that of the sweep is not: it is awaited by the test itself, not by a task.
#[derive(Clone, Debug)]
#[must_use = "nothing is tried until it is run"]
pub struct Sweep {
    /// `None` for what [`Sweep::ways`] names as the default.
    ways: Option<Vec<Way>>,
    at_most: Option<usize>,
    patience: Duration,
    leaves_tasks: bool,
}

impl Default for Sweep {
    fn default() -> Self {
        Self::new()
    }
}

impl Sweep {
    /// One that drops the future at each await, and cancels it there.
    pub fn new() -> Self {
        Self {
            ways: None,
            at_most: None,
            patience: Duration::from_secs(10),
            leaves_tasks: false,
        }
    }

    /// What is done at each await, in place of the default: [`Dropped`](Way::Dropped) and [`DroppedWoken`](Way::DroppedWoken),
    /// and [`Cancelled`](Way::Cancelled), or [`TokenCancelled`](Way::TokenCancelled) where the future is given a token.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn ways(mut self, ways: impl IntoIterator<Item = Way>) -> Self {
        let ways: Vec<_> = ways.into_iter().collect();
        assert!(
            !ways.is_empty(),
            "`ways` was given none: name at least one, or leave it out"
        );
        self.ways = Some(ways);
        self
    }

    /// Only the first `awaits` of a future that has more, or that never ends.
    ///
    /// Unless this is said, one that gives way a thousand times before it ends is an error, since every await is a run of its
    /// own.
    ///
    /// # Panics
    ///
    /// If `awaits` is zero.
    #[track_caller]
    pub fn at_most(mut self, awaits: usize) -> Self {
        assert!(
            awaits > 0,
            "`at_most(0)` would sweep nothing: give 1 or more"
        );
        self.at_most = Some(awaits);
        self
    }

    /// How long a future may go without being woken, and tasks may go on without it, before that is an error: 10 seconds
    /// unless said, by the machine's clock. It takes no time where nothing is wrong.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Does not ask after tasks that go on without the future, nor wait for them: for tests that have tasks of their own which
    /// come and go.
    pub fn leave_tasks(mut self) -> Self {
        self.leaves_tasks = true;
        self
    }

    /// Sweeps a future: `setup` makes the state, `body` the future, and `check` looks at what it left.
    ///
    /// # Panics
    ///
    /// With what a [`try_run`](Self::try_run) would return as its error.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it drops the future of the run that it is at, and stops.
    #[track_caller]
    pub fn run<S, T>(
        self,
        setup: impl AsyncFn() -> S,
        body: impl AsyncFn(&S) -> T,
        check: impl AsyncFn(&S, &Cut<T>),
    ) -> impl Future<Output = Report> {
        or_panic(self.try_run(setup, body, check))
    }

    /// [`run`](Self::run) that returns what it has found, for tests of tests.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong: the check failed; the future panicked, is stuck or endless, has no await, or is not the
    /// same in every run; or it left tasks behind. Panics in `setup` go on.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn try_run<S, T>(
        self,
        setup: impl AsyncFn() -> S,
        body: impl AsyncFn(&S) -> T,
        check: impl AsyncFn(&S, &Cut<T>),
    ) -> Result<Report, SweepError> {
        let ways = [Way::Dropped, Way::DroppedWoken, Way::Cancelled];
        self.sweep(&ways, setup, Plain(body), check).await
    }

    /// [`run`](Self::run) for a future that is given a token, which is cancelled at each await.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn run_with_token<S, T>(
        self,
        setup: impl AsyncFn() -> S,
        body: impl AsyncFn(&S, CancellationToken) -> T,
        check: impl AsyncFn(&S, &Cut<T>),
    ) -> impl Future<Output = Report> {
        or_panic(self.try_run_with_token(setup, body, check))
    }

    /// [`run_with_token`](Self::run_with_token) that returns what it has found.
    ///
    /// # Errors
    ///
    /// As [`try_run`](Self::try_run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn try_run_with_token<S, T>(
        self,
        setup: impl AsyncFn() -> S,
        body: impl AsyncFn(&S, CancellationToken) -> T,
        check: impl AsyncFn(&S, &Cut<T>),
    ) -> Result<Report, SweepError> {
        let ways = [Way::Dropped, Way::DroppedWoken, Way::TokenCancelled];
        self.sweep(&ways, setup, WithToken(body), check).await
    }

    async fn sweep<S, T, B: Subject<S, T>>(
        self,
        default: &[Way],
        setup: impl AsyncFn() -> S,
        subject: B,
        check: impl AsyncFn(&S, &Cut<T>),
    ) -> Result<Report, SweepError> {
        let ways = self.ways.as_deref().unwrap_or(default).to_vec();
        let runs = Runs {
            sweep: &self,
            setup,
            subject,
            check,
            makes: PhantomData,
        };
        let mut report = Report {
            awaits: 0,
            is_whole: true,
            runs: Vec::new(),
        };
        let mut alone = None;
        for way in ways {
            // In an operation a future may give way more often, or less, than by itself.
            let (awaits, is_whole) = match alone {
                Some(counted) if !way.is_in_operation() => counted,
                _ => match runs.count(way).await {
                    Ok(counted) => counted,
                    Err(found) => return Err(runs.locate(found, way).await),
                },
            };
            if !way.is_in_operation() {
                alone = Some((awaits, is_whole));
            }
            report.awaits = report.awaits.max(awaits);
            report.is_whole &= is_whole;
            // One that was stopped at its last await may never be woken from it.
            let last = match way {
                Way::DroppedWoken if !is_whole => awaits - 1,
                _ => awaits,
            };
            let mut cuts = 0;
            for at in way.first()..=last {
                let of = awaits;
                if let Err(found) = runs.cut(Spot { way, at, of }).await {
                    return Err(runs.locate(found, way).await);
                }
                cuts += 1;
            }
            report.runs.push((way, cuts));
        }
        Ok(report)
    }
}

/// Panics with what a sweep has found, and says which one it was: a panic in a future has no caller to point at.
#[track_caller]
fn or_panic(
    sweep: impl Future<Output = Result<Report, SweepError>>,
) -> impl Future<Output = Report> {
    let caller = Location::caller();
    async move {
        match sweep.await {
            Ok(report) => report,
            Err(found) => panic!("the sweep at {caller} found a fault\n{found}"),
        }
    }
}
