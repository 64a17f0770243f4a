//! O9: which operation is current, and where.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use cancelable::{Cancelable, CancellationToken, Operation};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Barrier;
use tokio::task::{self, JoinSet, yield_now};
use tokio::time::sleep;

use crate::support::{Log, OnDrop, poll_once, secs};

/// The name of the current operation.
fn current() -> Option<String> {
    Operation::current().map(|op| op.name().unwrap_or("nameless").to_owned())
}

fn named(name: &str) -> Cancelable {
    Cancelable::new().name(name)
}

#[tokio::test]
async fn law_o9_of_joined_operations_each_body_has_its_own() {
    let body = async |_| {
        let mine = current();
        for _ in 0..20 {
            yield_now().await;
            assert_eq!(current(), mine);
        }
        mine.unwrap()
    };
    named("around")
        .run(async |_| {
            let joined = async {
                tokio::join!(
                    named("one").run(body),
                    named("two").run(body),
                    named("three").detached().run(body),
                    async {
                        yield_now().await;
                        assert_eq!(current().as_deref(), Some("around"));
                    },
                )
            };
            let (one, two, three, ()) = joined.await;
            let names = [one.unwrap(), two.unwrap(), three.unwrap()];
            assert_eq!(names, ["one", "two", "three"]);
        })
        .await
        .unwrap();
    assert_eq!(current(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn law_o9_goes_with_the_body_from_thread_to_thread() {
    let barrier = Arc::new(Barrier::new(8));
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let barrier = Arc::clone(&barrier);
        tasks.spawn(async move {
            let name = format!("task {number}");
            let inner = format!("inner {number}");
            let run = named(&name).run(async |_| {
                for _ in 0..50 {
                    barrier.wait().await;
                    assert_eq!(current().as_ref(), Some(&name));
                    let seen = named(&inner).run(async |_| {
                        yield_now().await;
                        current()
                    });
                    assert_eq!(seen.await.unwrap().as_ref(), Some(&inner));
                }
            });
            run.await.unwrap();
            assert_eq!(current(), None);
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn law_o9_nowhere_else() {
    let log = Log::default();
    let note = |what: &'static str| {
        let log = log.clone();
        move || log.note(format!("{what}: {:?}", current()))
    };
    let (started, ended, asked, told) =
        (note("start"), note("end"), note("condition"), note("token"));
    let token = CancellationToken::new();
    token.on_cancel(move |_| told()).detach();
    named("outer")
        .run(async |_| {
            let plan = named("inner")
                .on_start(move |_| started())
                .on_cancel(move |_| ended())
                .condition("at once", secs(1), move || {
                    asked();
                    true
                });
            let outcome = plan
                .run(async |inner| {
                    token.link(inner.token());
                    let spawned = tokio::spawn(async { current() });
                    assert_eq!(spawned.await.unwrap(), None);
                    let blocking = task::spawn_blocking(current);
                    assert_eq!(blocking.await.unwrap(), None);
                    pending::<()>().await;
                })
                .await;
            assert!(outcome.is_err());
            assert_eq!(current().as_deref(), Some("outer"));
        })
        .await
        .unwrap();
    // Callbacks run beside the body, in what is around; a token's where it is cancelled: as the condition fires.
    let mut events = log.take();
    events.sort();
    let expected = [
        "condition: None",
        "end: Some(\"outer\")",
        "start: Some(\"outer\")",
        "token: Some(\"outer\")",
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn law_o9_in_the_drop_of_the_bodys_values() {
    let log = Log::default();
    let holder = |log: &Log| {
        let log = log.clone();
        OnDrop(move || log.note(current().unwrap_or_default()))
    };
    let run_inside = async |ends: bool| {
        let outer = named("outer").run(async |_| {
            let inner = named("inner").run(async |op| {
                let _value = holder(&log);
                if !ends {
                    op.cancel();
                    pending::<()>().await;
                }
            });
            let _ = inner.await;
        });
        outer.await.unwrap();
    };
    run_inside(true).await;
    run_inside(false).await;
    assert_eq!(log.take(), ["inner", "inner"]);
    {
        let mut run = pin!(named("dropped").run(async |_| {
            let _value = holder(&log);
            pending::<()>().await;
        }));
        assert!(poll_once(run.as_mut()).is_pending());
        assert_eq!(current(), None);
    }
    // What the closure of the body captured, and the body never took.
    let value = holder(&log);
    let token = CancellationToken::new();
    token.cancel();
    let refused = named("refused")
        .token(&token)
        .run(async move |_| drop(value));
    assert!(refused.await.is_err());
    assert_eq!(log.take(), ["dropped", ""]);
}

#[tokio::test]
async fn law_o9_in_what_the_body_polls() {
    named("body")
        .run(async |op| {
            let mut items = op.stream(stream::repeat_with(current).take(3));
            while let Some(name) = items.next().await {
                assert_eq!(name.unwrap().as_deref(), Some("body"));
            }
            op.on_progress(|_, _| assert_eq!(current().as_deref(), Some("body")));
            op.report_progress("half way");
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn law_o9_no_panic_leaves_one_behind() {
    for where_ in ["constructor", "body", "drop"] {
        let run = named("falls over").run(move |_| {
            assert_ne!(where_, "constructor");
            async move {
                let _value = (where_ == "drop").then(|| OnDrop(|| panic!("in drop")));
                yield_now().await;
                assert_ne!(where_, "body");
            }
        });
        let run = std::panic::AssertUnwindSafe(run).catch_unwind();
        assert!(run.await.is_err(), "{where_}");
        assert_eq!(current(), None, "{where_}");
    }
}

#[tokio::test(start_paused = true)]
async fn law_o9_between_two_polls_there_is_none() {
    let mut run = pin!(named("asleep").run(async |_| sleep(secs(9)).await));
    assert!(poll_once(run.as_mut()).is_pending());
    assert_eq!(current(), None);
    // A future that was made in a body and is polled elsewhere is elsewhere.
    let lent = named("lender").run(async |_| async { current() }).await;
    assert_eq!(lent.unwrap().await, None);
}
