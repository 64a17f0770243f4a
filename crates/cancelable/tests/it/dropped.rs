//! O4: whoever drops a running operation cancels it, before anything of its body goes.

use std::future::pending;
use std::pin::pin;

use cancelable::{Cancelable, Operation, OperationStatus, Reason};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::support::{Handle, Log, OnDrop, heard, poll_once, secs};

/// An operation with another inside, that never end by themselves and note what their values see as they are dropped.
async fn endless(log: Log, handle: Handle, started: Option<oneshot::Sender<()>>) {
    let inner_log = log.clone();
    let _ = heard(&log)
        .id("outer")
        .run(async move |op| {
            handle.keep(&op);
            let _outer = noting(&inner_log, "outer", &op);
            let _ = Cancelable::new()
                .run(async |inner| {
                    let _inner = noting(&inner_log, "inner", &inner);
                    if let Some(started) = started {
                        started.send(()).expect("awaited");
                    }
                    pending::<()>().await;
                })
                .await;
        })
        .await;
}

/// A value that, as it is dropped, notes how its operation stands, and which one is current.
fn noting(log: &Log, whose: &'static str, op: &Operation) -> OnDrop<impl FnMut() + use<>> {
    let (log, op) = (log.clone(), op.clone());
    OnDrop(move || {
        let why = op.cancellation().expect("cancelled before it is dropped");
        let is_current = Operation::current().is_some_and(|current| current.id() == op.id());
        log.note(format!(
            "{whose} {} {} {} {is_current}",
            op.status(),
            why.reason(),
            why.root_cause().reason(),
        ));
    })
}

const DROPPED: [&str; 4] = [
    "start running",
    "inner cancelling parent dropped true",
    "outer cancelling dropped dropped true",
    "cancel cancelled",
];

#[track_caller]
fn check(log: &Log, handle: &Handle) {
    assert_eq!(log.take(), DROPPED);
    let context = handle.there().context();
    assert_eq!(context.status, OperationStatus::Cancelled);
    let why = context.cancellation.expect("it says why");
    assert_eq!(why.reason(), Reason::Dropped);
}

#[tokio::test(start_paused = true)]
async fn law_o4_a_select_that_lost_cancels() {
    let (log, handle) = (Log::default(), Handle::default());
    tokio::select! {
        () = endless(log.clone(), handle.clone(), None) => unreachable!("it never ends"),
        () = sleep(secs(1)) => {}
    }
    check(&log, &handle);
}

#[tokio::test(start_paused = true)]
async fn law_o4_a_timeout_outside_cancels() {
    let (log, handle) = (Log::default(), Handle::default());
    let outcome = timeout(secs(1), endless(log.clone(), handle.clone(), None)).await;
    assert!(outcome.is_err());
    check(&log, &handle);
}

#[tokio::test]
async fn law_o4_an_aborted_task_cancels() {
    let (log, handle) = (Log::default(), Handle::default());
    let (started, has_started) = oneshot::channel();
    let task = tokio::spawn(endless(log.clone(), handle.clone(), Some(started)));
    has_started.await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    check(&log, &handle);
}

#[test]
fn law_o4_a_runtime_that_shuts_down_cancels() {
    let flavours = [
        runtime::Builder::new_current_thread().build(),
        runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build(),
    ];
    for runtime in flavours {
        let (log, handle) = (Log::default(), Handle::default());
        let (started, has_started) = oneshot::channel();
        let runtime = runtime.unwrap();
        runtime.spawn(endless(log.clone(), handle.clone(), Some(started)));
        runtime.block_on(has_started).unwrap();
        drop(runtime);
        check(&log, &handle);
    }
}

#[test]
fn law_o4_a_thread_that_works_for_it_is_told() {
    let handle = Handle::default();
    let keep = handle.clone();
    let mut run = Box::pin(Cancelable::new().run(async move |op| {
        keep.keep(&op);
        pending::<()>().await;
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    let plan = handle.there().child();
    let thread = std::thread::spawn(move || {
        let entered = plan.enter_blocking();
        entered.token().blocking_cancelled();
        entered.cancellation().expect("it was woken for that")
    });
    drop(run);
    let why = thread.join().unwrap();
    assert_eq!(why.reason(), Reason::Parent);
    assert_eq!(why.root_cause().reason(), Reason::Dropped);
}

#[tokio::test]
async fn law_o4_dropped_before_its_first_poll_or_after_its_end_is_no_event() {
    let log = Log::default();
    drop(heard(&log).run(async |_| ()));
    assert_eq!(log.take(), [""; 0]);

    let handle = Handle::default();
    let keep = handle.clone();
    {
        let mut run = pin!(heard(&log).run(async move |op| keep.keep(&op)));
        assert!(poll_once(run.as_mut()).is_ready());
        assert_eq!(log.take(), ["start running", "complete completed"]);
    }
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(handle.there().status(), OperationStatus::Completed);
    assert!(!handle.there().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn law_o4_one_that_was_asked_before_keeps_that_reason() {
    let handle = Handle::default();
    {
        let keep = handle.clone();
        let mut run = pin!(Cancelable::new().run(async move |op| {
            keep.keep(&op);
            pending::<()>().await;
        }));
        assert!(poll_once(run.as_mut()).is_pending());
        handle.there().cancel_with("asked first");
        assert_eq!(handle.there().status(), OperationStatus::Cancelling);
    }
    let context = handle.there().context();
    assert_eq!(context.status, OperationStatus::Cancelled);
    assert_eq!(context.cancellation.unwrap().message(), "asked first");
}

#[tokio::test]
async fn law_o4_a_panic_while_it_is_dropped_ends_failed_and_goes_on() {
    let log = Log::default();
    let run = heard(&log).run(async |_| {
        let _bad = OnDrop(|| panic!("in drop"));
        yield_now().await;
    });
    let mut run = Box::pin(run);
    assert!(poll_once(run.as_mut()).is_pending());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(run)));
    assert!(panicked.is_err());
    assert_eq!(log.take(), ["start running", "error failed"]);
    assert!(Operation::current().is_none());
}
