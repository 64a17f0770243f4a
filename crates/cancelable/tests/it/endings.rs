//! O1: an operation has one ending, and one callback hears of it, once the status says so.

use std::future::pending;
use std::panic::AssertUnwindSafe;

use cancelable::{Cancelable, CancellationToken, OperationStatus};
use futures_util::FutureExt;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::support::{Handle, Log, compute_for, heard, secs};

#[derive(Clone, Copy, Debug)]
enum End {
    Value,
    ValueAfterAsk,
    Error,
    ErrorAfterAsk,
    Asked,
    Timeout,
    Dropped,
    Panic,
    PanicAfterAsk,
}

/// Runs an operation to such an end.
async fn run_to(end: End, plan: Cancelable, handle: &Handle) {
    let plan = match end {
        End::Timeout => plan.timeout(secs(1)),
        _ => plan,
    };
    let handle = handle.clone();
    let run = plan.try_run(async move |op| -> Result<(), Box<dyn std::error::Error>> {
        handle.keep(&op);
        assert_eq!(op.status(), OperationStatus::Running);
        yield_now().await;
        if matches!(
            end,
            End::ValueAfterAsk | End::ErrorAfterAsk | End::Asked | End::PanicAfterAsk
        ) {
            assert!(op.cancel());
            assert_eq!(op.status(), OperationStatus::Cancelling);
            assert_eq!(op.context().status, OperationStatus::Cancelling);
        }
        match end {
            End::Value | End::ValueAfterAsk => Ok(()),
            End::Error | End::ErrorAfterAsk => Err("went wrong".into()),
            End::Asked | End::Timeout | End::Dropped => pending().await,
            End::Panic | End::PanicAfterAsk => panic!("fell over"),
        }
    });
    // What ends by dropping is given up after 2 s.
    let _ = timeout(secs(2), AssertUnwindSafe(run).catch_unwind()).await;
}

#[tokio::test(start_paused = true)]
async fn law_o1_each_end_has_its_status_and_its_callback() {
    async fn check(end: End, status: OperationStatus, callback: &str) {
        let (log, handle) = (Log::default(), Handle::default());
        run_to(end, heard(&log), &handle).await;
        let op = handle.there();
        assert_eq!(op.status(), status, "{end:?}");
        let called = format!("{callback} {status}");
        assert_eq!(log.take(), ["start running", &called], "{end:?}");
    }
    use OperationStatus::{Cancelled, Completed, Failed};
    check(End::Value, Completed, "complete").await;
    check(End::ValueAfterAsk, Completed, "complete").await;
    check(End::Error, Failed, "error").await;
    check(End::ErrorAfterAsk, Cancelled, "cancel").await;
    check(End::Asked, Cancelled, "cancel").await;
    check(End::Timeout, Cancelled, "cancel").await;
    check(End::Dropped, Cancelled, "cancel").await;
    check(End::Panic, Failed, "error").await;
    check(End::PanicAfterAsk, Failed, "error").await;
}

#[tokio::test(start_paused = true)]
async fn law_o1_the_status_is_terminal_in_callbacks_and_stays() {
    for end in [End::Value, End::Error, End::Asked, End::Dropped, End::Panic] {
        let (log, handle) = (Log::default(), Handle::default());
        let look = || {
            let (log, handle) = (log.clone(), handle.clone());
            move |context: &cancelable::OperationContext| {
                let op = handle.there();
                assert!(op.status().is_terminal());
                op.cancel();
                assert_eq!(op.status(), context.status);
                assert!(context.end.is_some());
                log.note("looked");
            }
        };
        let plan = Cancelable::new()
            .on_complete(look())
            .on_cancel(look())
            .on_error(look());
        run_to(end, plan, &handle).await;
        assert_eq!(log.take(), ["looked"], "{end:?}");
        let status = handle.there().status();
        handle.there().cancel_with("too late");
        assert_eq!(handle.there().status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn law_o1_a_callback_that_panics_harms_no_other() {
    for end in [End::Value, End::Error, End::Asked, End::Dropped, End::Panic] {
        let (log, handle) = (Log::default(), Handle::default());
        let panics = |_: &cancelable::OperationContext| panic!("a callback fell over");
        let plan = Cancelable::new()
            .on_start(panics)
            .on_complete(panics)
            .on_cancel(panics)
            .on_error(panics);
        let note = |what: &'static str| {
            let log = log.clone();
            move |_: &cancelable::OperationContext| log.note(what)
        };
        let plan = plan
            .on_start(note("start"))
            .on_complete(note("end"))
            .on_cancel(note("end"))
            .on_error(note("end"));
        run_to(end, plan, &handle).await;
        assert_eq!(log.take(), ["start", "end"], "{end:?}");
        assert!(handle.there().status().is_terminal());
    }
}

#[tokio::test(start_paused = true)]
async fn law_o1_the_snapshot_has_times_and_the_ask() {
    let handle = Handle::default();
    let keep = handle.clone();
    let outcome = Cancelable::new()
        .run(async move |op| {
            keep.keep(&op);
            sleep(secs(3)).await;
            let before = op.context();
            assert_eq!((before.duration, before.asked_at), (secs(3), None));
            assert_eq!((before.since_asked, before.end), (None, None));
            op.cancel_with("hurry up");
            let asked = op.context();
            assert!(asked.asked_at.is_some() && asked.since_asked.is_some());
            compute_for(secs(4));
            "anyway"
        })
        .await;
    assert_eq!(outcome.unwrap(), "anyway");
    let context = handle.there().context();
    assert_eq!(context.status, OperationStatus::Completed);
    assert_eq!(context.duration, secs(7));
    assert_eq!(
        context.end.unwrap().duration_since(context.start).unwrap(),
        secs(7)
    );
    assert_eq!(context.cancellation.unwrap().message(), "hurry up");
    let asked = context.since_asked.unwrap();
    assert!(asked >= secs(4) && asked <= secs(7));
    assert_eq!(context.asked_at.unwrap() + asked, context.end.unwrap());
    // The end stays what it was.
    sleep(secs(5)).await;
    let later = handle.there().context();
    assert_eq!(later.duration, secs(7));
    assert_eq!(
        (later.since_asked, later.end),
        (context.since_asked, context.end)
    );
}

#[tokio::test]
async fn law_o1_an_ask_after_the_end_is_not_on_record() {
    let (token, handle) = (CancellationToken::new(), Handle::default());
    let keep = handle.clone();
    Cancelable::new()
        .run(async |outer| {
            Cancelable::new()
                .token(&token)
                .run(async |op| keep.keep(&op))
                .await
                .unwrap();
            outer.cancel_with("after the inner one has ended");
            token.cancel();
        })
        .await
        .unwrap();
    let context = handle.there().context();
    assert_eq!(context.status, OperationStatus::Completed);
    assert_eq!(context.cancellation, None);
    assert_eq!((context.asked_at, context.since_asked), (None, None));
}

#[tokio::test]
async fn law_o1_the_ask_is_not_before_the_start() {
    let (old, log) = (CancellationToken::new(), Log::default());
    old.cancel_with("long ago");
    let seen = log.clone();
    let outcome = Cancelable::new()
        .token(&old)
        .on_cancel(move |context| {
            assert!(context.asked_at.unwrap() >= context.start);
            assert!(context.since_asked.unwrap() <= context.duration);
            seen.note("seen");
        })
        .run(async |_| ())
        .await;
    assert_eq!(outcome.unwrap_err().message(), "long ago");
    assert_eq!(log.take(), ["seen"]);
}
