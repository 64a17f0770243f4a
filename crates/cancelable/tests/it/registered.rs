//! R1-R4 and O3 as operations keep them: who is registered is listed, told of, counted and left to the history.

use std::future::pending;
use std::sync::mpsc;

use cancelable::{
    Cancelable, CancellationToken, Filter, Heard, OperationStatus, Outcome, Reason, Registry, What,
};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::support::{Handle, Log, poll_once, secs};

#[tokio::test(start_paused = true)]
async fn law_o3_when_run_returns_it_has_left_for_the_history() {
    let registry = Registry::new();
    let plan = || {
        Cancelable::new()
            .id("one")
            .name("import")
            .registered_in(&registry)
    };
    let outcome = plan()
        .metadata("tenant", 7)
        .on_complete({
            let registry = registry.clone();
            move |_| {
                assert_eq!(
                    registry.count(&Filter::new()),
                    0,
                    "callbacks come after it has left"
                )
            }
        })
        .run(async |op| {
            let listed = registry.list(&Filter::new().metadata("tenant", 7));
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].status, OperationStatus::Running);
            assert_eq!(registry.get("one").unwrap().name.as_deref(), op.name());
        })
        .await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(registry.count(&Filter::new()), 0);
    assert_eq!(
        registry.get("one").unwrap().status,
        OperationStatus::Completed
    );
    // The id is free again.
    let outcome = plan()
        .timeout(secs(1))
        .run(async |_| pending::<()>().await)
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    let statistics = registry.statistics();
    assert_eq!((statistics.started, statistics.ended.cancelled), (2, 1));
    assert_eq!(registry.history(&Filter::new()).len(), 2);
    // What is added while it runs is found at once, and stays.
    let outcome = plan().metadata("tenant", 7).run(async |op| {
        op.set_metadata("tenant", 8);
        op.set_metadata("rows", 3);
        let now = Filter::new().metadata("tenant", 8).metadata("rows", 3);
        let before = Filter::new().metadata("tenant", 7);
        (registry.count(&now), registry.count(&before))
    });
    assert_eq!(outcome.await, Ok((1, 0)));
    let ended = registry.history(&Filter::new().metadata("rows", 3));
    assert_eq!((ended.len(), &ended[0].metadata["tenant"]), (1, &8.into()));
    // Not registered, not listed.
    assert!(Cancelable::new().run(async |_| ()).await.is_ok());
    assert_eq!(registry.statistics().started, 3);
}

#[tokio::test]
async fn law_r4_a_second_live_operation_with_an_id_is_refused() {
    let registry = Registry::new();
    let plan = || Cancelable::new().id("one").registered_in(&registry);
    let log = Log::default();
    let outcome = plan()
        .run(async |op| {
            let second = plan().run(async |_| log.note("never")).await.unwrap_err();
            assert_eq!(second.reason(), Reason::Error);
            assert!(second.message().contains("one"), "{second}");
            // A second attempt is the same id.
            assert!(plan().attempt(2).run(async |_| ()).await.is_err());
            assert!(!op.is_cancelled());
        })
        .await;
    assert_eq!(outcome, Ok(()));
    assert!(log.take().is_empty());
    assert_eq!(registry.statistics().started, 1);
}

#[tokio::test]
async fn law_r4_a_registry_that_is_named_twice_lists_it_once() {
    let registry = Registry::new();
    let plan = Cancelable::new().registered_in(&registry);
    let outcome = plan
        .registered_in(&registry.clone())
        .run(async |_| ())
        .await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(registry.statistics().started, 1);
}

#[tokio::test(start_paused = true)]
async fn law_r4_what_a_cancel_by_id_did_is_answered() {
    let registry = Registry::new();
    let plan = || {
        Cancelable::new()
            .id("one")
            .registered_in(&registry)
            .grace(secs(10))
    };
    let mut run = Box::pin(plan().run(async |op| op.cancelled().await));
    assert_eq!(registry.cancel("one", "early"), Outcome::Unknown);
    assert!(poll_once(run.as_mut()).is_pending());
    assert_eq!(
        registry.cancel_attempt("one", 2, "another's"),
        Outcome::Unknown
    );
    assert_eq!(registry.cancel("one", "first"), Outcome::Asked);
    assert_eq!(registry.cancel("one", "second"), Outcome::AlreadyAsked);
    assert_eq!(run.await.unwrap().message(), "first");
    let over = Outcome::AlreadyOver(OperationStatus::Completed);
    assert_eq!(registry.cancel("one", "late"), over);
}

#[tokio::test(start_paused = true)]
async fn law_r2_an_operation_tells_of_itself_from_its_start_to_its_end() {
    let registry = Registry::new();
    let mut events = registry.subscribe(100);
    let token = CancellationToken::new();
    let outcome = Cancelable::new()
        .registered_in(&registry)
        .token(&token)
        .run(async |op| {
            assert_eq!(registry.statistics().active.running, 1);
            op.report_progress("half way");
            // An ask is told at once, by whoever asks.
            token.cancel();
            op.report_progress("on my way out");
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    let mut told = Vec::new();
    while let Some(Heard::Event(event)) = events.try_next() {
        told.push(match &event.what {
            What::Started { .. } => "started".to_owned(),
            What::Progress { progress, .. } => progress.message.to_string(),
            What::Asked { cancellation, .. } => format!("asked: {:?}", cancellation.reason()),
            What::Ended { context, .. } => format!("ended {}", context.status),
            other => format!("{other:?}"),
        });
    }
    let expected = [
        "started",
        "half way",
        "asked: Manual",
        "on my way out",
        "ended cancelled",
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn law_r2_one_that_is_cancelled_before_its_start_or_dropped_is_counted() {
    let registry = Registry::new();
    let token = CancellationToken::new();
    token.cancel();
    let plan = || Cancelable::new().registered_in(&registry);
    let (looking, log) = (registry.clone(), Log::default());
    let seen = log.clone();
    let asked = plan().token(&token).finalizer(None, async move |_| {
        seen.note(format!(
            "{} cancelling",
            looking.statistics().active.cancelling
        ));
    });
    let mut events = registry.subscribe(9);
    assert!(asked.run(async |_| ()).await.is_err());
    assert_eq!(log.take(), ["1 cancelling"]);
    let is_asked = |heard| matches!(heard, Some(Heard::Event(event)) if matches!(event.what, What::Asked { .. }));
    assert!(!is_asked(events.try_next()) && is_asked(events.try_next()));
    drop(plan().run(async |_| ()));
    let mut run = Box::pin(plan().run(async |_| pending::<()>().await));
    assert!(poll_once(run.as_mut()).is_pending());
    assert_eq!(registry.count(&Filter::new()), 1);
    drop(run);
    let statistics = registry.statistics();
    assert_eq!((statistics.started, statistics.ended.cancelled), (2, 2));
    assert_eq!(statistics.ended.untold, 0);
}

#[tokio::test(start_paused = true)]
async fn law_r1_what_is_long_asked_and_still_runs_is_found() {
    let registry = Registry::new();
    let handle = Handle::default();
    let (go, gone) = mpsc::channel::<()>();
    let (started, start) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    let mut run = Box::pin(
        Cancelable::new()
            .registered_in(&registry)
            .on_cancel(move |context| ended.send(context.since_asked).expect("it is awaited"))
            .run(async |op| {
                handle.keep(&op);
                drop(op.spawn_blocking(move || {
                    started.send(()).expect("it is awaited");
                    gone.recv().is_ok()
                }));
                start.await.expect("the thread starts");
                op.cancel();
                pending::<()>().await;
            }),
    );
    while !poll_once(run.as_mut()).is_pending() || !handle.there().is_cancelled() {
        std::thread::yield_now();
    }
    drop(run);
    tokio::time::advance(secs(30)).await;
    assert!(registry.stuck(secs(31)).is_empty());
    let stuck = registry.stuck(secs(30));
    assert_eq!(stuck.len(), 1);
    assert_eq!(stuck[0].since_asked, Some(secs(30)));
    go.send(()).expect("the thread waits");
    assert_eq!(end.await, Ok(Some(secs(30))));
    assert!(registry.stuck(secs(0)).is_empty());
    let asked = registry.statistics().after_ask;
    assert_eq!(asked.count, 1);
}

#[tokio::test(start_paused = true)]
async fn law_r1_children_and_tree_are_found_by_their_parents_id() {
    let registry = Registry::new();
    let plan = |id: &str| Cancelable::new().id(id).registered_in(&registry);
    let outcome = plan("root")
        .run(async |_| {
            let child = plan("child").run(async |_| {
                let grandchild = plan("grandchild").run(async |_| registry.tree("root"));
                grandchild.await
            });
            let (tree, ()) = tokio::join!(child, sleep(secs(1)));
            tree
        })
        .await;
    let tree = outcome
        .unwrap()
        .unwrap()
        .unwrap()
        .expect("the root is live");
    let ids: Vec<_> = tree
        .nodes()
        .iter()
        .map(|node| (node.depth, node.operation.id.as_str()))
        .collect();
    assert_eq!(ids, [(0, "root"), (1, "child"), (2, "grandchild")]);
}
