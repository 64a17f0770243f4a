//! O3 and O9 for threads: told, awaited for as long as is right, and on record for as long as they run.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc;
use std::thread;

use cancelable::{Cancelable, Cancellation, Operation, OperationStatus, Reason, checkpoint};
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, advance};

use crate::support::{Handle, Log, compute_for, heard, poll_once, secs};

fn work_until_told() -> Cancellation {
    loop {
        if let Err(why) = checkpoint() {
            return why;
        }
        thread::yield_now();
    }
}

#[tokio::test]
async fn law_o3_a_thread_is_told_and_awaited() {
    let log = Log::default();
    let noted = log.clone();
    let outcome = heard(&log)
        .run(async |op| {
            let (started, start) = oneshot::channel();
            drop(op.spawn_blocking(move || {
                started.send(()).expect("it is awaited");
                let why = work_until_told();
                noted.note(format!("told: {why}"));
            }));
            start.await.expect("the thread starts");
            op.cancel_with("closing time");
            std::future::pending::<()>().await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().message(), "closing time");
    let expected = ["start running", "told: closing time", "cancel cancelled"];
    assert_eq!(log.take(), expected);
}

#[tokio::test]
async fn law_o3_after_a_finished_body_a_thread_is_awaited() {
    let (go, gone) = mpsc::channel::<()>();
    let handle = Handle::default();
    let mut run = Box::pin(Cancelable::new().run(async |op| {
        handle.keep(&op);
        let value = op.spawn_blocking(move || {
            assert!(gone.recv().is_ok());
            7
        });
        drop(value);
        8
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    assert_eq!(handle.there().status(), OperationStatus::Running);
    go.send(()).expect("the thread waits");
    assert_eq!(run.await, Ok(8));
    assert_eq!(handle.there().status(), OperationStatus::Completed);
}

/// Runs an operation with a thread that does not listen; says how long the run took, and what the operation's end was.
async fn with_a_deaf_thread(plan: Cancelable) -> std::time::Duration {
    let (go, gone) = mpsc::channel::<()>();
    let (ended, end) = oneshot::channel();
    let (started, start) = oneshot::channel();
    let handle = Handle::default();
    let mut run = Box::pin(
        plan.on_cancel(move |context| ended.send(context.clone()).expect("it is awaited"))
            .run(async |op| {
                handle.keep(&op);
                drop(op.spawn_blocking(move || {
                    started.send(()).expect("it is awaited");
                    gone.recv().is_ok()
                }));
                start.await.expect("the thread starts");
                op.cancel();
                std::future::pending::<()>().await;
            }),
    );
    while !poll_once(run.as_mut()).is_pending() || !handle.there().is_cancelled() {
        thread::yield_now();
    }
    // The clock stands still while a thread of the runtime is at work.
    let start = Instant::now();
    let took = loop {
        if let std::task::Poll::Ready(outcome) = poll_once(run.as_mut()) {
            assert_eq!(outcome.map_err(|why| why.reason()), Err(Reason::Manual));
            break start.elapsed();
        }
        advance(secs(1)).await;
    };
    // Still at work, and on record as such.
    let context = handle.there().context();
    assert_eq!(context.status, OperationStatus::Cancelling);
    assert_eq!(context.since_asked, Some(took));
    advance(secs(60)).await;
    assert_eq!(handle.there().status(), OperationStatus::Cancelling);
    let is_late = !handle.there().finalizer(None, async |_| ());
    assert!(is_late, "finalizers have had their turn");
    go.send(()).expect("the thread waits");
    let context = end.await.expect("it ends at last");
    assert_eq!(context.status, OperationStatus::Cancelled);
    assert_eq!(context.since_asked, Some(took + secs(60)));
    took
}

#[tokio::test(start_paused = true)]
async fn law_o3_a_thread_that_does_not_listen_is_left_and_stays_on_record() {
    assert_eq!(with_a_deaf_thread(Cancelable::new()).await, secs(5));
    let short = Cancelable::new().grace(secs(2));
    assert_eq!(with_a_deaf_thread(short).await, secs(2));
    let grace = Cancelable::new().grace(secs(9));
    assert_eq!(with_a_deaf_thread(grace).await, secs(9));
}

#[tokio::test]
async fn law_o3_a_panic_of_a_thread_ends_the_operation_failed_and_goes_on() {
    let log = Log::default();
    let run = heard(&log).run(async |op| {
        let why = op.spawn_blocking(|| panic!("fell over")).await;
        assert_eq!(why.unwrap_err().message(), "panicked: fell over");
        std::future::pending::<()>().await;
    });
    let panicked = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"fell over"));
    assert_eq!(log.take(), ["start running", "error failed"]);
}

#[tokio::test]
async fn law_o4_a_dropped_run_tells_its_threads_and_ends_with_them() {
    let (ended, end) = oneshot::channel();
    let (started, start) = oneshot::channel();
    let handle = Handle::default();
    let mut run = Box::pin(
        Cancelable::new()
            .on_cancel(move |context| ended.send(context.status).expect("it is awaited"))
            .run(async |op| {
                handle.keep(&op);
                drop(op.spawn_blocking(move || {
                    started.send(()).expect("it is awaited");
                    work_until_told()
                }));
                std::future::pending::<()>().await;
            }),
    );
    assert!(poll_once(run.as_mut()).is_pending());
    start.await.expect("the thread starts");
    drop(run);
    assert_eq!(end.await, Ok(OperationStatus::Cancelled));
}

#[tokio::test]
async fn law_o9_within_is_current_wherever_it_is_called() {
    let outcome = Cancelable::new()
        .name("outer")
        .run(async |op| {
            let name = || Operation::current()?.name().map(str::to_owned);
            let elsewhere = op.clone();
            let joined = thread::spawn(move || {
                assert!(
                    checkpoint().is_ok(),
                    "nothing is current, nothing is cancelled"
                );
                let named = elsewhere.within(name);
                let fell = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    elsewhere.within(|| panic!("fell over"))
                }));
                assert!(fell.is_err());
                assert!(Operation::current().is_none());
                elsewhere.cancel();
                (
                    named,
                    elsewhere.within(checkpoint).is_err(),
                    checkpoint().is_ok(),
                )
            });
            joined.join().expect("it does not panic")
        })
        .await;
    assert_eq!(outcome.unwrap(), (Some("outer".to_owned()), true, true));
}

#[tokio::test]
async fn law_o9_a_checkpoint_hears_of_what_encloses_its_operation() {
    let outcome = Cancelable::new()
        .run(async |outer| {
            let inner = Cancelable::new().run(async |_| {
                assert!(checkpoint().is_ok());
                outer.cancel_with("from outside");
                checkpoint()
            });
            inner.await
        })
        .await;
    let why = outcome.unwrap().unwrap().unwrap_err();
    assert_eq!(why.root_cause().message(), "from outside");
    yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn law_o9_a_checkpoint_ends_a_body_that_only_computes_when_its_time_is_up() {
    let outcome = Cancelable::new()
        .timeout(secs(9))
        .run(async |_| {
            let mut rounds = 0;
            let why = loop {
                if let Err(why) = checkpoint() {
                    break why;
                }
                rounds += 1;
                compute_for(secs(1));
            };
            assert!((9..200).contains(&rounds), "{rounds}");
            why
        })
        .await;
    assert_eq!(outcome.unwrap().reason(), Reason::Timeout);
}
