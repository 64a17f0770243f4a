//! W6 without a server: a shutdown asks all at its start, drops none before its grace is over, and names who is left.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use cancelable::{Cancelable, CancellationToken, Operation, OperationStatus, Reason};
use cancelable_http::Shutdown;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Runs `count` operations in tasks of their own, whose bodies end when `let_go` does, and waits until all of them run.
async fn run_many(
    shutdown: &Shutdown,
    count: usize,
    let_go: &CancellationToken,
) -> (Vec<Operation>, JoinSet<Result<(), Reason>>) {
    let (send, mut there) = tokio::sync::mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let plan = shutdown.plan(Cancelable::new().name(format!("job {number}")));
        let (send, let_go) = (send.clone(), let_go.clone());
        let run = plan.run(async move |op| {
            send.send(op).unwrap();
            let_go.cancelled().await;
        });
        tasks.spawn(async { run.await.map_err(|why| why.reason()) });
    }
    let mut all = Vec::new();
    while all.len() < count {
        all.push(there.recv().await.unwrap());
    }
    (all, tasks)
}

#[tokio::test(start_paused = true)]
async fn law_w6_everything_is_asked_by_the_time_that_it_has_begun() {
    let shutdown = Shutdown::new();
    let let_go = CancellationToken::new();
    let (all, mut tasks) = run_many(&shutdown, 100, &let_go).await;
    assert_eq!(shutdown.running(), 100);
    assert!(all.iter().all(|op| !op.is_cancelled()));

    assert!(shutdown.begin_with("version 7 takes over"));
    for op in &all {
        let why = op.cancellation().unwrap();
        assert_eq!(why.reason(), Reason::Shutdown);
        assert_eq!(why.message(), "version 7 takes over");
        assert_eq!(op.status(), OperationStatus::Cancelling);
    }
    // It goes on meanwhile, and may finish by itself.
    let_go.cancel();
    let report = shutdown.finished().await;
    assert_eq!((report.asked(), report.is_clean()), (100, true));
    assert_eq!(report.took(), Duration::ZERO);
    assert_eq!(shutdown.running(), 0);
    while let Some(outcome) = tasks.join_next().await {
        assert_eq!(outcome.unwrap(), Ok(()));
    }
}

/// A callback that waits for another operation to be asked would wait for ever if that came after it.
#[tokio::test]
async fn law_w6_whoever_is_told_finds_all_asked() {
    let shutdown = Shutdown::new();
    let let_go = CancellationToken::new();
    let (all, _tasks) = run_many(&shutdown, 3, &let_go).await;
    let (tell, told) = mpsc::channel();
    for op in &all {
        let (all, tell, shutdown) = (all.clone(), tell.clone(), shutdown.clone());
        let blocks = move |_: &_| {
            let asked = all.iter().filter(|op| {
                let why = op.token().blocking_cancelled_timeout(secs(1));
                why.is_some_and(|why| why.reason() == Reason::Shutdown)
            });
            // It has begun, and all are asked, also for who would begin it now.
            tell.send((asked.count(), shutdown.begin())).unwrap();
        };
        op.token().on_cancel(blocks).detach();
    }
    let waits = Waker::from(Arc::new(WakeFn({
        let all = all.clone();
        move || {
            tell.send((all.iter().filter(|op| op.is_cancelled()).count(), false))
                .unwrap()
        }
    })));
    let mut begun = Box::pin(shutdown.begun());
    let mut cx = Context::from_waker(&waits);
    assert!(begun.as_mut().poll(&mut cx).is_pending());

    assert!(shutdown.begin());
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, [(3, false); 4]);
}

/// The time that a callback takes is no part of anybody's grace, and its end is not waited for.
#[tokio::test(start_paused = true)]
async fn law_w6_a_callback_that_blocks_keeps_nobody_from_ending() {
    let shutdown = Shutdown::new();
    let never = CancellationToken::new();
    let (all, _tasks) = run_many(&shutdown, 2, &never).await;
    let (blocked, let_go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let blocks = {
        let (blocked, let_go) = (Arc::clone(&blocked), Arc::clone(&let_go));
        move |_: &_| {
            blocked.wait();
            let_go.wait();
        }
    };
    all[0].token().on_cancel(blocks).detach();
    let beginning = thread::spawn({
        let shutdown = shutdown.clone();
        move || shutdown.begin()
    });
    blocked.wait();
    assert!(!shutdown.begin());
    let report = shutdown.finished().await;
    assert_eq!((report.asked(), report.is_clean()), (2, true));
    let_go.wait();
    assert!(beginning.join().unwrap());
}

#[test]
fn law_w6_of_two_that_begin_it_each_finds_all_asked_hammer() {
    for _ in 0..500 {
        let shutdown = Shutdown::new();
        let entered: Vec<_> = (0..8)
            .map(|_| shutdown.plan(Cancelable::new().detached()).enter_blocking())
            .collect();
        let all: Vec<Operation> = entered.iter().map(|op| Operation::clone(op)).collect();
        let both = Arc::new(Barrier::new(2));
        let begin = || {
            both.wait();
            let is_first = shutdown.begin();
            assert!(all.iter().all(Operation::is_cancelled));
            is_first
        };
        let firsts = thread::scope(|scope| {
            let other = scope.spawn(begin);
            usize::from(begin()) + usize::from(other.join().unwrap())
        });
        assert_eq!(firsts, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn law_w6_none_is_dropped_before_the_grace_is_over() {
    let shutdown = Shutdown::new().grace(secs(7));
    let never = CancellationToken::new();
    let (_, mut tasks) = run_many(&shutdown, 10, &never).await;
    let begun = Instant::now();
    shutdown.begin();
    let report = shutdown.finished();
    let dropped = async {
        while let Some(outcome) = tasks.join_next().await {
            assert_eq!(outcome.unwrap(), Err(Reason::Shutdown));
            assert_eq!(begun.elapsed(), secs(7));
        }
    };
    let (report, ()) = tokio::join!(report, dropped);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.took(), secs(7));
}

#[tokio::test(start_paused = true)]
async fn law_w6_who_is_still_running_is_named() {
    let shutdown = Shutdown::new().grace(secs(7));
    let plan = |name| shutdown.plan(Cancelable::new().name(name));
    // Nobody polls this one again.
    let mut forgotten = Box::pin(
        plan("forgotten")
            .id("f-1")
            .run(async |_| pending::<()>().await),
    );
    let mut cx = Context::from_waker(Waker::noop());
    assert!(forgotten.as_mut().poll(&mut cx).is_pending());
    // This one has more to clean up than there is time for.
    let cleaning = plan("cleaning").finalizer(secs(3600), async |_| sleep(secs(60)).await);
    let cleaning = tokio::spawn(cleaning.run(async |_| pending::<()>().await));
    let quick = tokio::spawn(plan("quick").run(async |op| drop(op.cancelled().await)));
    sleep(secs(1)).await;

    shutdown.begin();
    let report = shutdown.finished().await;
    assert_eq!((report.asked(), report.took()), (3, secs(12)));
    let mut left: Vec<_> = report.still_running().iter().collect();
    left.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = left.iter().map(|op| op.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["cleaning", "forgotten"]);
    assert_eq!((left[1].id.as_str(), left[1].duration), ("f-1", secs(13)));
    let said = report.to_string();
    assert!(
        said.starts_with("3 operations were asked to stop; after 12s still running: "),
        "{said}"
    );
    assert!(said.contains("forgotten (f-1, for 13s)"), "{said}");

    assert_eq!(quick.await.unwrap(), Ok(()));
    drop(forgotten);
    assert!(cleaning.await.unwrap().is_err());
    let report = shutdown.finished().await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(shutdown.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn law_w6_who_comes_late_is_cancelled_before_its_start() {
    let shutdown = Shutdown::new();
    shutdown.begin();
    let plan = shutdown.plan(Cancelable::new());
    let outcome = plan.run(async |_| unreachable!("it is too late")).await;
    assert_eq!(
        outcome.map(|_: ()| ()).unwrap_err().reason(),
        Reason::Shutdown
    );
    let report = shutdown.finished().await;
    assert_eq!((report.asked(), report.is_clean()), (0, true));
    assert_eq!(
        report.to_string(),
        "0 operations were asked to stop; none is left after 0ns"
    );
}

/// A shutdown that begins while operations start on other threads misses none: one that it missed would wait for ever.
#[test]
fn law_w6_none_is_missed_that_starts_as_it_begins_hammer() {
    for _ in 0..200 {
        let shutdown = Shutdown::new();
        let started = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (shutdown, started) = (shutdown.clone(), Arc::clone(&started));
                thread::spawn(move || {
                    let runtime = Builder::new_current_thread().enable_time().build();
                    runtime.unwrap().block_on(async {
                        let mut all = JoinSet::new();
                        for _ in 0..20 {
                            let plan = shutdown.plan(Cancelable::new());
                            all.spawn(plan.run(async |op| op.cancelled().await.reason()));
                            tokio::task::yield_now().await;
                            started.fetch_add(1, Ordering::Relaxed);
                        }
                        while let Some(outcome) = all.join_next().await {
                            let reason = outcome.unwrap().unwrap_or_else(|why| why.reason());
                            assert_eq!(reason, Reason::Shutdown);
                        }
                    });
                })
            })
            .collect();
        while started.load(Ordering::Relaxed) < 20 {
            thread::yield_now();
        }
        assert!(shutdown.begin());
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shutdown.running(), 0);
    }
}

/// What it keeps is bounded by how many operations there are at a time.
#[tokio::test]
async fn law_t6_operations_that_have_ended_leave_nothing_with_a_shutdown() {
    // Ten million where that takes seconds, as the law says.
    let rounds = if cfg!(debug_assertions) {
        100_000
    } else {
        10_000_000
    };
    let shutdown = Shutdown::new();
    let kept = Arc::new(());
    for _ in 0..rounds {
        let guard = Arc::clone(&kept);
        let plan = shutdown.plan(Cancelable::new().during(move |_| guard));
        plan.run(async |_| ()).await.unwrap();
    }
    assert_eq!(shutdown.running(), 0);
    assert_eq!(Arc::strong_count(&kept), 1);
    shutdown.begin();
    assert_eq!(shutdown.finished().await.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_reasons_end_an_operation_as_its_plan_says() {
    let shutdown = Shutdown::new();
    let plan = shutdown.plan(Cancelable::new().timeout(secs(1)));
    let started = Instant::now();
    let outcome = plan.run(async |_| pending::<()>().await).await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(started.elapsed(), secs(1));

    let plan = shutdown.plan(Cancelable::new().grace(secs(3)).timeout(secs(1)));
    let started = Instant::now();
    assert!(plan.run(async |_| pending::<()>().await).await.is_err());
    assert_eq!(started.elapsed(), secs(4));
}

#[tokio::test(start_paused = true)]
async fn what_is_inside_a_linked_operation_has_the_grace_of_that() {
    let shutdown = Shutdown::new().grace(secs(7));
    let outer = shutdown.plan(Cancelable::new());
    let run = tokio::spawn(outer.run(async |_| {
        let inner = Cancelable::new().run(async |_| pending::<()>().await).await;
        inner.unwrap_err().root_cause().reason()
    }));
    sleep(secs(1)).await;
    shutdown.begin();
    // The inner one has none, and the outer one has time to see to that.
    assert_eq!(run.await.unwrap(), Ok(Reason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn the_first_beginning_counts_and_whoever_waits_for_it_is_told() {
    let shutdown = Shutdown::new();
    let begun = tokio::spawn(shutdown.begun());
    let finished = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.finished().await.asked() }
    });
    tokio::task::yield_now().await;
    assert!(!begun.is_finished() && !finished.is_finished() && !shutdown.is_begun());
    assert!(shutdown.why().is_none());

    // Of a cancellation of another kind only the message is taken.
    let inner = cancelable::Cancellation::manual("somebody pressed a button");
    assert!(shutdown.begin_with(cancelable::Cancellation::new(Reason::Shutdown).with_cause(inner)));
    assert!(!shutdown.begin_with("too late"));
    let why = shutdown.why().unwrap();
    assert_eq!(
        (why.reason(), why.root_cause().reason()),
        (Reason::Shutdown, Reason::Shutdown)
    );
    begun.await.unwrap();
    assert_eq!(finished.await.unwrap(), 0);
    // Also for whoever asks late.
    shutdown.begun().await;
    assert!(format!("{shutdown:?}").contains("running: 0"));
}

#[tokio::test(start_paused = true)]
async fn a_grace_of_nothing_drops_at_once_and_one_without_end_never() {
    let at_once = Shutdown::new().grace(Duration::ZERO);
    let never = CancellationToken::new();
    let (_, mut tasks) = run_many(&at_once, 1, &never).await;
    let begun = Instant::now();
    at_once.begin();
    assert_eq!(
        tasks.join_next().await.unwrap().unwrap(),
        Err(Reason::Shutdown)
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);

    let patient = Shutdown::new().grace(Duration::MAX);
    let let_go = CancellationToken::new();
    let (_, mut tasks) = run_many(&patient, 1, &let_go).await;
    patient.begin();
    let finished = tokio::spawn({
        let patient = patient.clone();
        async move { patient.finished().await.is_clean() }
    });
    sleep(secs(1_000_000)).await;
    assert!(!finished.is_finished());
    let_go.cancel();
    assert!(finished.await.unwrap());
    assert_eq!(tasks.join_next().await.unwrap().unwrap(), Ok(()));
}

#[test]
fn a_future_of_the_end_asks_for_no_runtime_where_nobody_is_left() {
    let shutdown = Shutdown::new();
    shutdown.begin();
    let mut begun = Box::pin(shutdown.begun());
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(begun.as_mut().poll(&mut cx), Poll::Ready(()));
}

/// A waker that calls a function.
struct WakeFn<F>(F);

impl<F: Fn() + Send + Sync> Wake for WakeFn<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}
