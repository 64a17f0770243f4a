//! O1: an operation has one ending, and one callback hears of it, once the status says so.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use cancelable::{Cancelable, CancellationToken, OperationStatus, Reason};
use futures_util::FutureExt;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Handle, Log, OnDrop, compute_for, heard, poll_once, secs};

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

#[test]
fn law_o1_a_limit_that_no_runtime_can_watch_ends_failed() {
    let (log, handle) = (Log::default(), Handle::default());
    let (keep, drops) = (handle.clone(), log.clone());
    let mut run = Box::pin(heard(&log).timeout(secs(9)).run(async move |op| {
        keep.keep(&op);
        let _value = drops.note_on_drop("body dropped");
        pending::<()>().await;
    }));
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| poll_once(run.as_mut())));
    assert!(panicked.is_err());
    assert_eq!(handle.there().status(), OperationStatus::Failed);
    assert_eq!(
        log.take(),
        ["start running", "body dropped", "error failed"]
    );
    drop(run);
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test]
async fn law_o1_a_panic_anywhere_in_the_body_ends_failed_and_goes_on() {
    let drops_badly = || OnDrop(|| panic!("in drop"));
    let (constructor, in_drop, after_value) = (Log::default(), Log::default(), Log::default());

    let run = heard(&constructor).run(|_| -> std::future::Ready<()> { panic!("in constructor") });
    let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in constructor"));
    assert_eq!(constructor.take(), ["start running", "error failed"]);

    // Cancelled, but its body cannot be dropped in peace.
    let run = heard(&in_drop).run(async |op| {
        let _bad = drops_badly();
        op.cancel();
        pending::<()>().await;
    });
    let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in drop"));
    assert_eq!(in_drop.take(), ["start running", "error failed"]);

    // A body that has its value, and falls over as it is put away.
    let handle = Handle::default();
    let mut bad = Some(drops_badly());
    let keep = handle.clone();
    let run = heard(&after_value).run(move |op| {
        keep.keep(&op);
        std::future::poll_fn(move |_| {
            assert!(bad.is_some());
            let _ = &mut bad;
            std::task::Poll::Ready(())
        })
    });
    assert!(AssertUnwindSafe(run).catch_unwind().await.is_err());
    assert_eq!(after_value.take(), ["start running", "error failed"]);
    let context = handle.there().context();
    assert_eq!(context.error.as_deref(), Some("panicked: in drop"));
}

#[tokio::test(start_paused = true)]
async fn law_o1_nothing_happens_before_the_first_poll() {
    let log = Log::default();
    let run = heard(&log)
        .timeout(secs(1))
        .run(async |_| Instant::now().elapsed());
    let mut run = pin!(run);
    sleep(secs(9)).await;
    assert_eq!(log.take(), [""; 0]);
    assert!(poll_once(run.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn law_o2_what_is_cancelled_before_its_start_never_runs() {
    async fn check(what: &str, reason: Reason, plan: impl FnOnce(Cancelable) -> Cancelable) {
        let (log, handle) = (Log::default(), Handle::default());
        let keep = handle.clone();
        let outcome = plan(heard(&log)).run(async move |op| keep.keep(&op)).await;
        assert_eq!(outcome.unwrap_err().reason(), reason, "{what}");
        assert!(handle.is_empty(), "{what}: the body was called");
        assert_eq!(log.take(), ["cancel cancelled"], "{what}");
    }
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let ended = Handle::default();
    let _ = Cancelable::new()
        .run(async |op| {
            ended.keep(&op);
            op.cancel();
        })
        .await;
    check("token", Reason::Manual, |plan| plan.token(&cancelled)).await;
    check("zero", Reason::Timeout, |plan| plan.timeout(secs(0))).await;
    let now = Instant::now();
    sleep(secs(1)).await;
    check("past", Reason::Timeout, |plan| plan.deadline(now)).await;
    check("now", Reason::Timeout, |plan| plan.deadline(Instant::now())).await;
    check("parent", Reason::Parent, |plan| plan.parent(&ended.there())).await;
    Cancelable::new()
        .run(async |op| {
            op.cancel();
            check("around", Reason::Parent, |plan| plan).await;
            check("both", Reason::Parent, |plan| plan.timeout(secs(0))).await;
        })
        .await
        .unwrap();
}
