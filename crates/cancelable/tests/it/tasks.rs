//! O3 and O9 for spawned tasks: cancelled with their operation, current in them, and gone when it ends.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use cancelable::{Cancelable, CancellationToken, Operation, OperationStatus, Reason};
use futures_util::FutureExt;
use tokio::runtime::{Builder, Handle as Runtime};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, heard, poll_once, secs};

#[tokio::test(start_paused = true)]
async fn law_o3_after_a_finished_body_tasks_are_awaited() {
    let log = Log::default();
    let start = Instant::now();
    let noted = log.clone();
    let outcome = heard(&log)
        .run(async |op| {
            drop(op.spawn(async move {
                sleep(secs(5)).await;
                let inner = Operation::current().expect("current in its tasks");
                let again = noted.clone();
                // Tasks may spawn tasks.
                drop(inner.spawn(sleep(secs(5)).map(move |()| again.note("second"))));
                noted.note("first");
            }));
            7
        })
        .await;
    assert_eq!((outcome, start.elapsed()), (Ok(7), secs(10)));
    assert_eq!(
        log.take(),
        ["start running", "first", "second", "complete completed"]
    );
}

#[tokio::test(start_paused = true)]
async fn law_o3_after_an_ask_tasks_are_dropped_and_gone() {
    let log = Log::default();
    let noted = log.clone();
    let outcome = heard(&log)
        .timeout(secs(1))
        .run(async move |op| {
            for name in ["one", "two"] {
                let noted = noted.clone();
                drop(op.spawn(async move {
                    let _dropped = noted.note_on_drop(name);
                    pending::<()>().await;
                }));
            }
            // Also where the body has finished: the operation may still be asked to stop.
            op.id().len()
        })
        .await;
    assert_eq!(outcome, Ok(36), "the body had finished");
    assert_eq!(
        log.take(),
        ["start running", "one", "two", "complete completed"]
    );
    yield_now().await;
    assert_eq!(Runtime::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn law_o3_a_tasks_own_shield_and_the_grace_hold_for_it() {
    let log = Log::default();
    let noted = log.clone();
    let start = Instant::now();
    let run = Cancelable::new().timeout(secs(1)).run(async move |op| {
        let own = op.clone();
        drop(op.spawn(async move {
            own.shield(sleep(secs(5))).await;
            noted.note("after its shield");
        }));
        pending::<()>().await;
    });
    assert!(run.await.is_err());
    assert_eq!((start.elapsed(), log.take()), (secs(5), vec![]));

    let noted = log.clone();
    let start = Instant::now();
    let run = Cancelable::new().timeout(secs(1)).grace(secs(10));
    let outcome = run.run(async move |op| {
        let own = op.clone();
        drop(op.spawn(async move {
            let why = own.cancelled().await;
            sleep(secs(2)).await;
            noted.note(format!("said goodbye, {why}"));
            let _dropped = noted.note_on_drop("dropped");
            pending::<()>().await;
        }));
        pending::<()>().await;
    });
    assert!(outcome.await.is_err());
    assert_eq!(start.elapsed(), secs(11));
    assert_eq!(log.take(), ["said goodbye, timed out after 1s", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn law_o3_a_tasks_shield_does_not_keep_the_body() {
    let log = Log::default();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |op| {
            let _dropped = log.note_on_drop("body");
            let (own, noted) = (op.clone(), log.clone());
            drop(op.spawn(async move {
                own.shield(sleep(secs(5)).map(|()| noted.note("section")))
                    .await;
            }));
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(log.take(), ["body", "section"]);
}

#[tokio::test(start_paused = true)]
async fn law_o3_a_panic_of_a_task_ends_the_operation_failed_and_goes_on() {
    let (log, handle) = (Log::default(), Handle::default());
    let run = heard(&log).run(async |op| {
        handle.keep(&op);
        let noted = log.clone();
        drop(op.spawn(async move {
            let _dropped = noted.note_on_drop("sibling");
            pending::<()>().await;
        }));
        yield_now().await;
        let why = op.spawn(async { panic!("fell over") }).await;
        log.note(why.unwrap_err().to_string());
        pending::<()>().await;
    });
    let panicked = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(panicked.downcast_ref(), Some(&"fell over"));
    let noted = log.take();
    assert_eq!(noted[0], "start running");
    assert_eq!(noted.last().unwrap(), "error failed");
    assert!(noted.contains(&"sibling".to_owned()), "{noted:?}");
    let context = handle.there().context();
    assert_eq!(context.error.as_deref(), Some("panicked: fell over"));
    assert_eq!(context.cancellation.unwrap().reason(), Reason::Error);

    // After a body that has finished as well.
    let run = heard(&log).run(async |op| drop(op.spawn(async { panic!("fell over late") })));
    assert!(AssertUnwindSafe(run).catch_unwind().await.is_err());
    assert_eq!(log.take(), ["start running", "error failed"]);
}

/// Panics as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("fell over as it was dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn law_o3_a_panic_of_a_tasks_drop_counts_as_well() {
    let run = Cancelable::new().timeout(secs(1)).run(async |op| {
        drop(op.spawn(async {
            let _bomb = Bomb;
            pending::<()>().await;
        }));
        pending::<()>().await;
    });
    let panicked = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(
        panicked.downcast_ref(),
        Some(&"fell over as it was dropped")
    );
}

#[tokio::test(start_paused = true)]
async fn law_o3_tasks_end_before_finalizers_begin() {
    let log = Log::default();
    let (noted, cleaned) = (log.clone(), log.clone());
    let outcome = Cancelable::new()
        .finalizer(None, async move |_| cleaned.note("clean up"))
        .run(async |op| drop(op.spawn(sleep(secs(5)).map(move |()| noted.note("task")))))
        .await;
    assert!(outcome.is_ok());
    assert_eq!(log.take(), ["task", "clean up"]);
}

#[tokio::test(start_paused = true)]
async fn law_o4_a_dropped_run_stops_its_tasks_without_grace() {
    let (log, handle) = (Log::default(), Handle::default());
    let (done, end) = oneshot::channel();
    let (noted, keep) = (log.clone(), handle.clone());
    let mut run = Box::pin(
        Cancelable::new()
            .grace(secs(60))
            .on_cancel(move |context| done.send(context.clone()).expect("it is awaited"))
            .run(async move |op| {
                keep.keep(&op);
                drop(op.spawn(async move {
                    let _dropped = noted.note_on_drop("task");
                    pending::<()>().await;
                }));
                pending::<()>().await;
            }),
    );
    assert!(poll_once(run.as_mut()).is_pending());
    yield_now().await;
    drop(run);
    assert_eq!(handle.there().status(), OperationStatus::Cancelling);
    let context = end.await.expect("it ends");
    assert_eq!(log.take(), ["task"]);
    assert_eq!(context.status, OperationStatus::Cancelled);
    assert_eq!(context.cancellation.unwrap().reason(), Reason::Dropped);
    assert_eq!(context.since_asked, Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn law_o3_nothing_is_spawned_in_what_is_over_or_was_asked() {
    let (log, handle) = (Log::default(), Handle::default());
    let outcome = Cancelable::new().run(async |op| handle.keep(&op)).await;
    assert!(outcome.is_ok());
    let noted = log.note_on_drop("dropped");
    let refused = handle.there().spawn(async move { drop(noted) });
    assert!(refused.is_finished());
    let why = refused.await.unwrap_err();
    assert_eq!(why.reason(), Reason::Error);
    assert!(
        why.message()
            .ends_with("is over: nothing can be spawned in it"),
        "{why}"
    );
    assert_eq!(log.take(), ["dropped"]);
    let why = handle.there().spawn_blocking(|| ()).await.unwrap_err();
    assert_eq!(why.reason(), Reason::Error);
    let why = handle.there().shield_detached(async {}).await.unwrap_err();
    assert_eq!(why.reason(), Reason::Error);

    let refused = log.clone();
    let finalizing = Cancelable::new().finalizer(None, async move |op: Operation| {
        let why = op.spawn(async {}).await.unwrap_err();
        refused.note(format!("{:?}", why.reason()));
    });
    assert_eq!(finalizing.run(async |_| ()).await, Ok(()));
    assert_eq!(log.take(), ["Error"]);

    let asked = Cancelable::new().run(async |op| {
        op.cancel_with("enough");
        op.spawn(async { unreachable!("never polled") })
            .now_or_never()
    });
    let why = asked.await.unwrap().expect("it is refused at once");
    assert_eq!(why.unwrap_err().message(), "enough");
}

#[tokio::test]
async fn law_o9_current_in_spawned_tasks_and_in_their_drop() {
    let token = CancellationToken::new();
    let log = Log::default();
    let noted = log.clone();
    let name = || Operation::current().and_then(|op| op.name().map(str::to_owned));
    let run = Cancelable::new()
        .name("outer")
        .token(&token)
        .run(async |op| {
            let (started, start) = oneshot::channel();
            drop(op.spawn(async move {
                let _dropped =
                    crate::support::OnDrop(move || noted.note(name().unwrap_or_default()));
                let inner = Cancelable::new().name("inner").run(async |_| name());
                assert_eq!(inner.await.unwrap().as_deref(), Some("inner"));
                assert_eq!(name().as_deref(), Some("outer"));
                started.send(()).expect("it is awaited");
                pending::<()>().await;
            }));
            start.await.expect("the task gets so far");
            token.cancel();
            pending::<()>().await;
        });
    assert!(run.await.is_err());
    assert_eq!(log.take(), ["outer"]);
    assert!(Operation::current().is_none());
}

#[test]
fn law_o3_a_runtime_that_shuts_down_takes_its_tasks_along() {
    let (log, handle) = (Log::default(), Handle::default());
    let (noted, keep) = (log.clone(), handle.clone());
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let mut run = Box::pin(heard(&log).run(async move |op| {
        keep.keep(&op);
        let task = op.spawn(async move {
            let _dropped = noted.note_on_drop("task");
            pending::<()>().await;
        });
        task.await
    }));
    runtime.block_on(async {
        assert!(poll_once(run.as_mut()).is_pending());
        yield_now().await;
    });
    drop(runtime);
    assert_eq!(log.take(), ["start running", "task"]);
    let outcome = poll_once(run.as_mut());
    let std::task::Poll::Ready(Ok(Err(why))) = outcome else {
        panic!("the task is gone: {outcome:?}");
    };
    assert_eq!(why.reason(), Reason::Shutdown);
    assert_eq!(log.take(), ["complete completed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn law_o3_hammer_many_tasks_and_a_cancel_at_any_time() {
    for round in 0..200_u32 {
        let alive = Alive::default();
        let token = CancellationToken::new();
        let cancel = token.clone();
        let other = tokio::spawn(async move {
            for _ in 0..round % 17 {
                yield_now().await;
            }
            cancel.cancel();
        });
        let counted = alive.clone();
        let outcome = Cancelable::new()
            .token(&token)
            .run(async move |op| {
                for _ in 0..20 {
                    let one = counted.one();
                    drop(op.spawn(async move {
                        let _one = one;
                        yield_now().await;
                        pending::<()>().await;
                    }));
                    yield_now().await;
                }
                pending::<()>().await;
            })
            .await;
        assert!(outcome.is_err());
        assert_eq!(alive.count(), 0, "round {round}");
        other.await.expect("it does not panic");
    }
}

#[derive(Clone, Default)]
struct Alive(std::sync::Arc<()>);

impl Alive {
    fn one(&self) -> std::sync::Arc<()> {
        std::sync::Arc::clone(&self.0)
    }

    /// Apart from this handle.
    fn count(&self) -> usize {
        std::sync::Arc::strong_count(&self.0) - 1
    }
}
