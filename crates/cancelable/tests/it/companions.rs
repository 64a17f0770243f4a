//! What is kept during an operation, and handles that keep nothing: begun at the start, gone after the end, whichever way.

use std::future::pending;
use std::pin::pin;
use std::sync::mpsc;

use cancelable::{Cancelable, Operation, OperationStatus, Reason};
use tokio::sync::oneshot::{self, error::TryRecvError};

use crate::support::{Handle, Log, OnDrop, Woken, heard, poll_once, secs};

/// A plan that notes when what is kept comes and goes, and with which status.
fn noted(log: &Log, plan: Cancelable) -> Cancelable {
    let log = log.clone();
    plan.during(move |op: &Operation| {
        log.note("begun");
        let op = op.downgrade();
        OnDrop(move || {
            let status = op.upgrade().map(|op| op.status());
            log.note(format!("gone, {status:?}"));
        })
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_during_an_operation_goes_after_its_end() {
    let log = Log::default();
    let plan = noted(&log, heard(&log)).finalizer(None, {
        let log = log.clone();
        async move |_| log.note("finalizer")
    });
    plan.run(async |_| log.note("body")).await.unwrap();
    let told = [
        "begun",
        "start running",
        "body",
        "finalizer",
        "complete completed",
        "gone, Some(Completed)",
    ];
    assert_eq!(log.take(), told);
}

#[tokio::test(start_paused = true)]
async fn it_is_kept_whichever_way_the_operation_ends() {
    let log = Log::default();
    let plan = || noted(&log, Cancelable::new());

    let cancelled = plan().timeout(secs(1)).run(async |_| pending::<()>().await);
    assert!(cancelled.await.is_err());
    assert_eq!(log.take(), ["begun", "gone, Some(Cancelled)"]);

    let from_the_start = plan().timeout(secs(0)).run(async |_| ());
    assert!(from_the_start.await.is_err());
    assert_eq!(log.take(), ["begun", "gone, Some(Cancelled)"]);

    {
        let mut dropped = pin!(plan().run(async |_| pending::<()>().await));
        assert!(poll_once(dropped.as_mut()).is_pending());
    }
    assert_eq!(log.take(), ["begun", "gone, Some(Cancelled)"]);

    let panicking = tokio::spawn(plan().run(async |_| panic!("on purpose")));
    assert!(panicking.await.is_err());
    assert_eq!(log.take(), ["begun", "gone, Some(Failed)"]);

    // Never polled, never started.
    drop(plan().run(async |_| ()));
    assert!(log.take().is_empty());

    let combined = Cancelable::new().combine(plan()).run(async |_| ());
    assert_eq!(combined.await, Ok(()));
    assert_eq!(log.take(), ["begun", "gone, Some(Completed)"]);

    let entered = plan().enter_blocking();
    assert_eq!(log.take(), ["begun"]);
    entered.complete();
    assert_eq!(log.take(), ["gone, Some(Completed)"]);
}

#[tokio::test]
async fn it_is_kept_until_a_thread_that_does_not_listen_has_left() {
    let (kept, mut gone) = oneshot::channel::<()>();
    let (let_go, hold) = mpsc::channel::<()>();
    let (at_work, works) = oneshot::channel();
    let mut running = Box::pin(Cancelable::new().during(move |_| kept).run(async |op| {
        let _stays = op.spawn_blocking(move || {
            at_work.send(()).unwrap();
            hold.recv()
        });
        pending::<()>().await;
    }));
    assert!(poll_once(running.as_mut()).is_pending());
    works.await.unwrap();
    drop(running);
    assert_eq!(gone.try_recv(), Err(TryRecvError::Empty));
    // The last to leave ends it.
    drop(let_go);
    assert!(gone.await.is_err());
}

#[tokio::test]
async fn it_may_cancel_the_operation_and_harms_nobody_by_a_panic() {
    let log = Log::default();
    let plan = Cancelable::new()
        .during(|_| -> () { panic!("on purpose") })
        .during(|_| OnDrop(|| panic!("as it goes")))
        .during(|op| op.cancel_with("not this one"));
    let outcome = noted(&log, plan).run(async |_| log.note("never")).await;
    assert_eq!(outcome.unwrap_err().message(), "not this one");
    assert_eq!(log.take(), ["begun", "gone, Some(Cancelled)"]);
}

/// A driver whose handle is the only one leaves no waker; who makes a weak handle may come back and ask.
#[tokio::test]
async fn who_has_a_weak_handle_wakes_an_operation_that_nobody_else_knows() {
    let (send, receive) = oneshot::channel();
    let mut send = Some(send);
    let mut running = pin!(Cancelable::new().run(async move |op| {
        send.take().unwrap().send(op.downgrade()).unwrap();
        drop(op);
        pending::<()>().await;
    }));
    let (woken, waker) = Woken::new();
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(running.as_mut().poll(&mut cx).is_pending());
    let weak = receive.await.unwrap();
    assert!(weak.upgrade().unwrap().cancel_with(Reason::Shutdown));
    assert_eq!(woken.times(), 1);
    assert_eq!(running.await.unwrap_err().reason(), Reason::Shutdown);
    assert!(weak.upgrade().is_none());
}

#[tokio::test]
async fn a_weak_handle_sees_the_end_and_keeps_nothing() {
    let handle = Handle::default();
    let weak = Cancelable::new()
        .run(async |op| {
            handle.keep(&op);
            op.downgrade()
        })
        .await
        .unwrap();
    assert_eq!(weak.upgrade().unwrap().status(), OperationStatus::Completed);
    drop(handle);
    assert!(weak.upgrade().is_none());
    assert!(format!("{weak:?}").contains("None"));
}
