//! O7: finalizers run when the body is gone, whichever way it ended, and before the operation has.

use std::future::pending;
use std::panic::AssertUnwindSafe;

use cancelable::{Cancelable, CancellationToken, Operation, OperationStatus, Reason};
use futures_util::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, heard, poll_once, secs};

/// A finalizer that takes its time, and notes the status that it sees at its end.
macro_rules! slow {
    ($log:expr, $name:literal) => {{
        let log = $log.clone();
        async move |op: Operation| {
            sleep(secs(1)).await;
            log.note(format!("{} {}", $name, op.status()));
        }
    }};
}

#[tokio::test(start_paused = true)]
async fn law_o7_the_last_registered_runs_first_whichever_way_the_body_ended() {
    let log = Log::default();
    let plan = |log: &Log| {
        heard(log)
            .finalizer(None, slow!(log, "first"))
            .finalizer(None, slow!(log, "second"))
    };
    let finalized = |status: &str, end: &str| {
        let mut all = vec!["start running".to_owned()];
        all.extend(["third", "second", "first"].map(|name| format!("{name} {status}")));
        all.push(end.to_owned());
        all
    };
    let register = |op: &Operation, log: &Log| assert!(op.finalizer(None, slow!(log, "third")));

    let start = Instant::now();
    let outcome = plan(&log).run(async |op| register(&op, &log)).await;
    assert_eq!((outcome, start.elapsed()), (Ok(()), secs(3)));
    assert_eq!(log.take(), finalized("running", "complete completed"));

    let outcome = plan(&log).timeout(secs(1)).run(async |op| {
        register(&op, &log);
        pending::<()>().await;
    });
    assert_eq!(outcome.await.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(log.take(), finalized("cancelling", "cancel cancelled"));

    let outcome: Result<(), Box<dyn std::error::Error>> = plan(&log)
        .try_run(async |op| {
            register(&op, &log);
            Err("no luck".into())
        })
        .await;
    assert_eq!(outcome.unwrap_err().to_string(), "no luck");
    assert_eq!(log.take(), finalized("running", "error failed"));

    let outcome = plan(&log).run(async |op| {
        register(&op, &log);
        panic!("fell over");
    });
    let panicked = AssertUnwindSafe(outcome).catch_unwind().await.unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"fell over"));
    assert_eq!(log.take(), finalized("cancelling", "error failed"));
}

#[tokio::test(start_paused = true)]
async fn law_o7_one_that_never_began_has_nothing_and_one_cancelled_at_its_start_has() {
    let log = Log::default();
    let plan = || Cancelable::new().finalizer(None, slow!(log, "clean up"));
    drop(plan().run(async |_| pending::<()>().await));
    assert!(log.take().is_empty());

    let token = CancellationToken::new();
    token.cancel();
    let outcome = plan().token(&token).run(async |_| log.note("body")).await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Manual);
    assert_eq!(log.take(), ["clean up cancelling"]);
}

#[tokio::test(start_paused = true)]
async fn law_o7_has_so_long_and_no_longer() {
    let log = Log::default();
    let hangs = |log: &Log, name: &'static str| {
        let log = log.clone();
        async move |_: Operation| {
            let _dropped = log.note_on_drop(name);
            pending::<()>().await;
        }
    };
    let start = Instant::now();
    let outcome = heard(&log)
        .finalizer(None, hangs(&log, "by default"))
        .finalizer(secs(5), hangs(&log, "as said"))
        .run(async |_| 7)
        .await;
    assert_eq!((outcome, start.elapsed()), (Ok(7), secs(35)));
    let expected = [
        "start running",
        "as said",
        "by default",
        "complete completed",
    ];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn law_o7_one_that_fails_changes_no_result() {
    let log = Log::default();
    let outcome = heard(&log)
        .finalizer(None, slow!(log, "last"))
        .finalizer(None, async |_| Err::<(), _>("could not"))
        .finalizer(None, async |_| -> () { panic!("fell over") })
        .finalizer(None, |_| -> std::future::Ready<()> {
            panic!("fell over at once")
        })
        .run(async |_| 7)
        .await;
    assert_eq!(outcome, Ok(7));
    assert_eq!(
        log.take(),
        ["start running", "last running", "complete completed"]
    );
}

#[tokio::test(start_paused = true)]
async fn law_o7_an_operation_that_encloses_it_waits_for_it() {
    let log = Log::default();
    let start = Instant::now();
    let outer = Cancelable::new().timeout(secs(1));
    let outcome = outer.run(async |_| {
        let cleaned = log.clone();
        let inner = heard(&log).finalizer(None, async move |_| {
            // Operations inside are not cancelled by what cancelled those around.
            let run = Cancelable::new().run(async |_| sleep(secs(5)).await);
            cleaned.note(format!("cleaned up: {}", run.await.is_ok()));
        });
        let _ = inner.run(async |_| pending::<()>().await).await;
        log.note("the outer body went on");
    });
    assert_eq!(outcome.await.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(start.elapsed(), secs(6));
    let expected = ["start running", "cleaned up: true", "cancel cancelled"];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn law_o7_is_not_cancelled_by_what_cancels_meanwhile() {
    let token = CancellationToken::new();
    let log = Log::default();
    let (cancel, started) = (token.clone(), log.clone());
    let outcome = Cancelable::new()
        .token(&token)
        .timeout(secs(2))
        .finalizer(None, async move |op: Operation| {
            cancel.cancel_with("too late");
            sleep(secs(5)).await;
            started.note(format!("cleaned up, {}", op.is_cancelled()));
        })
        .run(async |_| 7)
        .await;
    assert_eq!(outcome, Ok(7));
    assert_eq!(log.take(), ["cleaned up, true"]);
}

#[tokio::test(start_paused = true)]
async fn law_o7_is_no_place_where_the_operation_is_current() {
    let log = Log::default();
    let seen = log.clone();
    let plan = Cancelable::new().finalizer(None, async move |_| {
        seen.note(format!("{:?}", Operation::current()))
    });
    assert_eq!(plan.run(async |_| 7).await, Ok(7));
    assert_eq!(log.take(), ["None"]);
}

#[tokio::test(start_paused = true)]
async fn law_o7_runs_on_the_runtime_where_the_run_was_dropped() {
    let (log, handle) = (Log::default(), Handle::default());
    let (done, end) = oneshot::channel();
    let mut run = Box::pin(
        Cancelable::new()
            .on_cancel(move |context| done.send(context.status).expect("it is awaited"))
            .finalizer(None, slow!(log, "clean up"))
            .run(async |op| {
                handle.keep(&op);
                let _dropped = log.note_on_drop("body");
                pending::<()>().await;
            }),
    );
    assert!(poll_once(run.as_mut()).is_pending());
    drop(run);
    assert_eq!(log.take(), ["body"]);
    assert_eq!(handle.there().status(), OperationStatus::Cancelling);
    assert_eq!(end.await, Ok(OperationStatus::Cancelled));
    assert_eq!(log.take(), ["clean up cancelling"]);
    let context = handle.there().context();
    assert_eq!(context.cancellation.unwrap().reason(), Reason::Dropped);
    assert_eq!(context.skipped_finalizers, 0);
}

#[tokio::test(start_paused = true)]
async fn law_o7_goes_on_where_it_is_when_the_run_is_dropped_meanwhile() {
    let (log, handle) = (Log::default(), Handle::default());
    let (go, gone) = oneshot::channel::<()>();
    let (done, end) = oneshot::channel();
    let noted = log.clone();
    let mut run = Box::pin(
        Cancelable::new()
            .on_cancel(move |context| done.send(context.status).expect("it is awaited"))
            .finalizer(None, async move |_| {
                noted.note("begins");
                gone.await.expect("it is let go");
                noted.note("ends");
            })
            .run(async |op| {
                handle.keep(&op);
                "a value that nobody will have"
            }),
    );
    assert!(poll_once(run.as_mut()).is_pending());
    drop(run);
    assert_eq!(log.take(), ["begins"]);
    go.send(()).expect("it waits");
    assert_eq!(end.await, Ok(OperationStatus::Cancelled));
    assert_eq!(log.take(), ["ends"]);
    assert_eq!(
        handle.there().cancellation().unwrap().reason(),
        Reason::Dropped
    );
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
}

#[test]
fn law_o7_without_a_runtime_that_is_recorded() {
    let (log, handle) = (Log::default(), Handle::default());
    let plan = || {
        let log = log.clone();
        heard(&log)
            .finalizer(None, slow!(log, "clean up"))
            .finalizer(None, slow!(log, "and up"))
    };
    // Polled outside of any runtime.
    let mut run = Box::pin(plan().run(async |op| {
        handle.keep(&op);
        pending::<()>().await;
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    drop(run);
    assert_eq!(log.take(), ["start running", "cancel cancelled"]);
    assert_eq!(handle.there().context().skipped_finalizers, 2);

    // Started on one that is gone by then.
    let (runtime, handle) = (runtime(), Handle::default());
    let mut run = Box::pin(plan().run(async |op| {
        handle.keep(&op);
        pending::<()>().await;
    }));
    runtime.block_on(async { assert!(poll_once(run.as_mut()).is_pending()) });
    drop(runtime);
    drop(run);
    assert_eq!(log.take(), ["start running", "cancel cancelled"]);
    assert_eq!(handle.there().context().skipped_finalizers, 2);
}

/// The future of the run is dropped where no runtime is entered; the one it was started on is still there.
#[test]
fn law_o7_runs_on_the_runtime_that_it_was_started_on() {
    let log = Log::default();
    let runtime = runtime();
    let (done, end) = oneshot::channel();
    let noted = log.clone();
    let mut run = Box::pin(
        Cancelable::new()
            .on_cancel(move |context| done.send(context.status).expect("it is awaited"))
            .run(async move |op| {
                let registered = op.finalizer(None, async move |_| noted.note("clean up"));
                assert!(registered);
                pending::<()>().await;
            }),
    );
    runtime.block_on(async { assert!(poll_once(run.as_mut()).is_pending()) });
    drop(run);
    assert_eq!(runtime.block_on(end), Ok(OperationStatus::Cancelled));
    assert_eq!(log.take(), ["clean up"]);
}

#[test]
fn law_o7_cut_off_by_a_runtime_that_shuts_down_is_recorded() {
    let (log, handle) = (Log::default(), Handle::default());
    let (noted, keep) = (log.clone(), handle.clone());
    let runtime = runtime();
    runtime.block_on(async {
        let plan = heard(&log)
            .finalizer(None, async |_| ())
            .finalizer(None, async move |_| {
                let _dropped = noted.note_on_drop("cut off");
                pending::<()>().await;
            });
        let run = plan.run(async move |op| keep.keep(&op));
        drop(tokio::spawn(run));
        tokio::task::yield_now().await;
    });
    assert_eq!(log.take(), ["start running"]);
    drop(runtime);
    assert_eq!(log.take(), ["cut off", "cancel cancelled"]);
    assert_eq!(handle.there().context().skipped_finalizers, 2);
}

/// Where there is no runtime but somebody who polls, its limit is kept by a timer that needs none.
#[test]
fn law_o7_is_run_by_any_executor() {
    let log = Log::default();
    let plan = Cancelable::new().finalizer(std::time::Duration::from_millis(1), async move |_| {
        pending::<()>().await;
    });
    let (parked, waker) = crate::support::Woken::new();
    let mut run = Box::pin(plan.run(async |_| log.note("body")));
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    while parked.times() == 0 {
        std::thread::yield_now();
    }
    assert!(run.as_mut().poll(&mut cx).is_ready());
}

#[tokio::test(start_paused = true)]
async fn law_o7_registered_too_late_it_is_refused() {
    let log = Log::default();
    let (late, handle) = (log.clone(), Handle::default());
    let outcome = Cancelable::new()
        .finalizer(None, async move |op: Operation| {
            // In time still: it is the next.
            op.finalizer(None, slow!(late, "registered in another"));
        })
        .run(async |op| handle.keep(&op))
        .await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(log.take(), ["registered in another running"]);
    let dropped = log.note_on_drop("dropped");
    let is_added = handle.there().finalizer(None, async move |_| drop(dropped));
    assert!(!is_added);
    assert_eq!(log.take(), ["dropped"]);
}

#[tokio::test(start_paused = true)]
async fn law_o7_of_a_thread_they_run_on_the_runtime_that_it_has_entered() {
    let log = Log::default();
    let (done, end) = oneshot::channel();
    let entered = Cancelable::new()
        .on_complete(move |context| done.send(context.status).expect("it is awaited"))
        .finalizer(None, slow!(log, "clean up"))
        .enter_blocking();
    drop(entered);
    assert_eq!(end.await, Ok(OperationStatus::Completed));
    assert_eq!(log.take(), ["clean up running"]);
}
