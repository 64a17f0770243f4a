//! O5: shielded sections run to their end, and the cancel comes right after.

use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use cancelable::{Cancelable, OperationStatus, Reason, checkpoint};
use futures_util::future::join;
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, Woken, heard, poll_once, secs};

#[tokio::test(start_paused = true)]
async fn law_o5_a_section_runs_to_its_end_and_the_cancel_comes_right_after() {
    let log = Log::default();
    let start = Instant::now();
    let outcome = heard(&log)
        .timeout(secs(1))
        .run(async |op| {
            op.shield(async {
                sleep(secs(5)).await;
                assert_eq!(op.status(), OperationStatus::Cancelling);
                log.note("section");
            })
            .await;
            log.note("after");
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(log.take(), ["start running", "section", "cancel cancelled"]);
    assert_eq!(start.elapsed(), secs(5));
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_section_that_is_ready_at_once_delivers_the_cancel() {
    let outcome = Cancelable::new()
        .run(async |op| {
            op.cancel_with("by the body");
            op.shield(ready(())).await;
            "the cancel was lost"
        })
        .await;
    assert_eq!(outcome.unwrap_err().message(), "by the body");
}

#[tokio::test(start_paused = true)]
async fn law_o5_an_operation_that_encloses_it_waits_as_well() {
    let (log, inner) = (Log::default(), Handle::default());
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |_| {
            let run = Cancelable::new().run(async |op| {
                inner.keep(&op);
                op.shield(sleep(secs(5)).map(|()| log.note("section")))
                    .await;
                log.note("after");
            });
            // The inner one ends, and the outer one goes no further either.
            let _ = run.await;
            pending::<()>().await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(start.elapsed(), secs(5));
    assert_eq!(log.take(), ["section"]);
    let context = inner.there().context();
    assert_eq!(context.status, OperationStatus::Cancelled);
    assert_eq!(context.cancellation.unwrap().reason(), Reason::Parent);
    assert_eq!(context.since_asked, Some(secs(4)));
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_detached_operation_inside_is_shielded_from_what_encloses_it() {
    let log = Log::default();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |_| {
            let run = Cancelable::new().detached().run(async |op| {
                op.shield(sleep(secs(5)).map(|()| log.note("section")))
                    .await;
                log.note("after");
                pending::<()>().await;
            });
            let _ = run.await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(log.take(), ["section"]);
}

#[tokio::test(start_paused = true)]
async fn law_o5_shields_nest() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |op| {
            let inner = op.clone();
            op.shield(async move {
                inner.shield(sleep(secs(2))).await;
                inner.shield(sleep(secs(2))).await;
                sleep(secs(1)).await;
            })
            .await;
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(start.elapsed(), secs(5));
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_section_past_its_bound_is_dropped_and_that_is_told() {
    let log = Log::default();
    let section = async |log: &Log| {
        let _dropped = log.note_on_drop("dropped");
        pending::<()>().await;
    };
    let told = Cancelable::new()
        .run(async |op| {
            let why = op.shield(section(&log)).limit(secs(2)).await.unwrap_err();
            log.note("told");
            why
        })
        .await;
    let told = told.expect("nobody cancelled it");
    assert_eq!(told.reason(), Reason::Timeout);
    assert_eq!(
        told.message(),
        "a shielded section took longer than its bound of 2s"
    );
    assert_eq!(log.take(), ["dropped", "told"]);

    // With a cancel meanwhile, that comes first.
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |op| {
            let _ = op.shield(section(&log)).limit(secs(2)).await;
            log.note("told");
        })
        .await;
    assert_eq!(outcome.unwrap_err().to_string(), "timed out after 1s");
    assert_eq!(
        (start.elapsed(), log.take()),
        (secs(2), vec!["dropped".to_owned()])
    );

    // One within its bound gives its value; a bound without an end is none.
    let value = Cancelable::new().run(async |op| {
        let short = op.shield(ready(3)).limit(secs(2)).await;
        let long = op
            .shield(sleep(secs(9)).map(|()| 4))
            .limit(std::time::Duration::MAX);
        (short, long.await)
    });
    assert_eq!(value.await.unwrap(), (Ok(3), Ok(4)));
}

#[tokio::test(start_paused = true)]
async fn law_o5_dropping_the_run_drops_the_section() {
    let log = Log::default();
    let mut run = Box::pin(heard(&log).run(async |op| {
        op.shield(async {
            let _dropped = log.note_on_drop("dropped");
            pending::<()>().await;
        })
        .await;
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    drop(run);
    assert_eq!(log.take(), ["start running", "dropped", "cancel cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_detached_section_survives_the_drop_of_the_run() {
    let (log, handle) = (Log::default(), Handle::default());
    let (finish, finished) = oneshot::channel::<()>();
    let (ended, end) = oneshot::channel();
    let (noted, keep) = (log.clone(), handle.clone());
    let mut run = Box::pin(
        Cancelable::new()
            .on_cancel(move |context| ended.send(context.clone()).expect("it is awaited"))
            .run(async move |op| {
                keep.keep(&op);
                let section = async move {
                    assert!(checkpoint().is_ok());
                    finished.await.expect("it is finished");
                    assert!(checkpoint().is_ok(), "shielded to the end");
                    noted.note("section");
                    7
                };
                op.shield_detached(section).await
            }),
    );
    assert!(poll_once(run.as_mut()).is_pending());
    drop(run);
    // No status says cancelled while work still runs.
    assert_eq!(handle.there().status(), OperationStatus::Cancelling);
    finish.send(()).expect("the section waits");
    let context = end.await.expect("it ends");
    assert_eq!(log.take(), ["section"]);
    assert_eq!(context.cancellation.unwrap().reason(), Reason::Dropped);
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_detached_section_gives_its_value_and_is_awaited() {
    let value = Cancelable::new()
        .run(async |op| op.shield_detached(async { 7 }).await)
        .await;
    assert_eq!(value.unwrap(), Ok(7));

    let log = Log::default();
    let noted = log.clone();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |op| {
            let section = async move {
                sleep(secs(5)).await;
                noted.note("section");
            };
            // The shield is dropped, the section is not.
            let mut shield = Box::pin(op.shield_detached(section));
            assert!(poll_once(shield.as_mut()).is_pending());
        })
        .await;
    assert_eq!(outcome, Ok(()), "the body had finished");
    assert_eq!(log.take(), ["section"]);
}

#[tokio::test(start_paused = true)]
async fn law_o5_inside_remaining_is_the_shields_own() {
    let outer = Cancelable::new().timeout(secs(60));
    let outcome = outer.run(async |outer| {
        let limited = Cancelable::new().timeout(secs(10)).run(async |op| {
            assert_eq!(op.remaining(), Some(secs(10)));
            let inside = op.clone();
            op.shield(async {
                assert_eq!(inside.remaining(), None);
                assert_eq!(
                    outer.remaining(),
                    None,
                    "what encloses it is shielded off too"
                );
            })
            .await;
            let bounded = op.shield(async {
                assert_eq!(inside.remaining(), Some(secs(3)));
                inside
                    .shield(async { assert_eq!(inside.remaining(), Some(secs(3))) })
                    .await;
                let unlimited = Cancelable::new().run(async |op| op.remaining());
                assert_eq!(unlimited.await, Ok(Some(secs(3))));
                let within = Cancelable::new().timeout(secs(2));
                within
                    .run(async |op| op.remaining())
                    .await
                    .expect("it is ready")
            });
            assert_eq!(bounded.limit(secs(3)).await.unwrap(), Some(secs(2)));
            assert_eq!(op.remaining(), Some(secs(10)));
        });
        limited.await
    });
    assert_eq!(outcome.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn law_o5_what_is_polled_beside_it_goes_on_meanwhile() {
    let log = Log::default();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |op| {
            let beside = async {
                sleep(secs(2)).await;
                log.note("beside");
                sleep(secs(9)).await;
                log.note("too long");
            };
            join(op.shield(sleep(secs(5))), beside).await
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(log.take(), ["beside"]);
}

#[tokio::test(start_paused = true)]
async fn law_o5_what_begins_in_a_section_is_not_ended_by_its_operation() {
    let log = Log::default();
    let outcome = Cancelable::new()
        .run(async |op| {
            let early = op.stream(stream::iter(0..3));
            op.cancel();
            assert!(checkpoint().is_err());
            let section = async {
                assert!(checkpoint().is_ok());
                assert!(
                    op.check().is_err(),
                    "it was asked, for whoever wants to know"
                );
                let run = Cancelable::new().run(async |inner| {
                    sleep(secs(1)).await;
                    assert_eq!(inner.context().parent_id.as_deref(), Some(op.id()));
                    assert!(!inner.is_cancelled());
                });
                assert_eq!(run.await, Ok(()));
                let child = op.child().run(async |_| sleep(secs(1)).await);
                assert_eq!(child.await, Ok(()));
                assert_eq!(op.stream(stream::iter(0..3)).count().await, 3);
                assert_eq!(early.count().await, 1, "what began outside is ended");
                log.note("section");
            };
            op.shield(section).await;
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(log.take(), ["section"]);
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_section_given_up_shields_no_longer() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |op| {
            tokio::select! {
                () = op.shield(pending()) => {}
                () = sleep(secs(3)) => {}
            }
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(start.elapsed(), secs(3));
}

/// A section that began in a body may be dropped anywhere: whoever waits for it has to hear of that.
#[tokio::test]
async fn law_o5_a_section_dropped_elsewhere_wakes_whoever_waits_for_it() {
    let (send, receive) = oneshot::channel();
    let mut run = pin!(Cancelable::new().run(async |op| {
        let mut shield = Box::pin(op.shield(pending::<()>()));
        assert!(poll_once(shield.as_mut()).is_pending());
        assert!(send.send(shield).is_ok());
        op.cancel();
        pending::<()>().await;
    }));
    let (woken, waker) = Woken::new();
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert!(run.as_mut().poll(&mut cx).is_pending(), "shielded");
    let before = woken.times();
    drop(receive.await);
    assert_eq!(woken.times(), before + 1);
    assert!(run.as_mut().poll(&mut cx).is_ready());
}

#[tokio::test(start_paused = true)]
async fn law_o5_where_nobody_takes_the_cancel_the_section_gives_its_value() {
    let handle = Handle::default();
    let outcome = Cancelable::new()
        .run(async |op| {
            handle.keep(&op);
            op.cancel();
            // Once more pending, for whoever waits to drop the body; who asks again is told.
            let mut shield = Box::pin(op.shield(ready(7)));
            assert!(poll_once(shield.as_mut()).is_pending());
            poll_once(shield.as_mut())
        })
        .await;
    assert_eq!(outcome, Ok(std::task::Poll::Ready(7)));
    // Outside of every body nobody could.
    let mut shield = Box::pin(handle.there().shield(ready(8)));
    assert_eq!(poll_once(shield.as_mut()), std::task::Poll::Ready(8));
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_panic_in_a_section_is_the_bodys() {
    let log = Log::default();
    let run = heard(&log).run(async |op| {
        let section = async { panic!("fell over") };
        op.shield::<std::pin::Pin<Box<dyn Future<Output = ()>>>>(Box::pin(section))
            .await;
    });
    assert!(AssertUnwindSafe(run).catch_unwind().await.is_err());
    assert_eq!(log.take(), ["start running", "error failed"]);
    assert!(cancelable::Operation::current().is_none());
}
