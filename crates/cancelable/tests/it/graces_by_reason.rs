//! O6, for each reason: a grace that holds only after some asks.

use std::future::pending;
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, CancellationToken, Operation, Reason};
use tokio::time::{Instant, sleep};

use crate::support::secs;

/// A plan whose operations are dropped at once when the client leaves, and have ten seconds at a shutdown.
fn of_a_server() -> Cancelable {
    Cancelable::new().grace_on(Reason::Shutdown, secs(10))
}

/// How long `body` goes on in such an operation, after an ask for this cause.
async fn goes_on_for<F: Future>(
    plan: Cancelable,
    why: impl Into<Cancellation>,
    body: impl FnOnce(Operation) -> F,
) -> Duration {
    let start = Instant::now();
    let run = plan.run(async |op| {
        op.cancel_with(why);
        body(op).await
    });
    assert!(run.await.is_err());
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn law_o6_a_grace_for_a_reason_holds_for_no_other() {
    let shutdown = goes_on_for(of_a_server(), Reason::Shutdown, |_| pending::<()>()).await;
    assert_eq!(shutdown, secs(10));
    for reason in Reason::ALL.iter().filter(|&&why| why != Reason::Shutdown) {
        let other = goes_on_for(of_a_server(), *reason, |_| pending::<()>()).await;
        assert_eq!(other, secs(0), "after an ask with reason {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn law_o6_a_grace_for_a_reason_goes_before_the_one_for_all() {
    let plan = || {
        of_a_server()
            .grace(secs(3))
            .grace_on(Reason::Disconnected, Duration::ZERO)
    };
    for (reason, grace) in [
        (Reason::Shutdown, 10),
        (Reason::Disconnected, 0),
        (Reason::Manual, 3),
        (Reason::Timeout, 3),
    ] {
        let lasted = goes_on_for(plan(), reason, |_| pending::<()>()).await;
        assert_eq!(lasted, secs(grace), "after an ask with reason {reason}");
    }
    // The last that was said counts.
    let again = plan().grace_on(Reason::Shutdown, secs(4));
    let lasted = goes_on_for(again, Reason::Shutdown, |_| pending::<()>()).await;
    assert_eq!(lasted, secs(4));
    // And one without an end has none.
    let run = of_a_server().grace_on(Reason::Shutdown, Duration::MAX);
    let run = run.run(async |op| {
        op.cancel_with(Reason::Shutdown);
        sleep(secs(100_000)).await;
    });
    assert_eq!(run.await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn law_o6_a_limit_of_its_own_is_a_reason_too() {
    for (reason, total) in [(Reason::Timeout, 3), (Reason::Shutdown, 1)] {
        let start = Instant::now();
        let plan = Cancelable::new().timeout(secs(1)).grace_on(reason, secs(2));
        let outcome = plan.run(|_| pending::<()>()).await;
        assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
        assert_eq!(start.elapsed(), secs(total));
    }
}

#[tokio::test(start_paused = true)]
async fn law_o6_of_an_outer_cancel_the_reason_at_its_root_counts() {
    // The first cause that is no parent counts, whatever may have caused that one.
    let by_signal = || Cancellation::new(Reason::Shutdown).with_cause(Reason::Signal.into());
    for (why, grace) in [
        (Cancellation::new(Reason::Shutdown), 10),
        (by_signal(), 10),
        (Cancellation::new(Reason::Disconnected), 0),
    ] {
        let start = Instant::now();
        let root = CancellationToken::new();
        let whole = Cancelable::new().token(&root.child_token()).grace(secs(60));
        let nested = whole.run(async |_| {
            let between = Cancelable::new().grace(secs(60));
            let inner = async |_| of_a_server().run(|_| pending::<()>()).await;
            between.run(inner).await
        });
        let cancel = async {
            sleep(secs(1)).await;
            root.cancel_with(why.clone());
        };
        let (outcome, ()) = tokio::join!(nested, cancel);
        let why = outcome.unwrap().unwrap().unwrap_err();
        assert_eq!(why.reason(), Reason::Parent);
        assert_eq!(start.elapsed(), secs(1 + grace));
    }
}

#[tokio::test(start_paused = true)]
async fn law_o6_a_task_has_the_grace_of_the_reason() {
    for (reason, grace) in [(Reason::Shutdown, 10), (Reason::Disconnected, 0)] {
        let start = Instant::now();
        let (op, told) = tokio::sync::oneshot::channel();
        let run = of_a_server().run(async |inner| {
            drop(inner.spawn(pending::<()>()));
            let _ = op.send(inner);
        });
        let ask = async { told.await.expect("it runs").cancel_with(reason) };
        let (outcome, _) = tokio::join!(run, ask);
        assert_eq!(outcome, Ok(()));
        assert_eq!(start.elapsed(), secs(grace), "after an ask with {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn law_o6_a_task_that_is_at_work_in_the_grace_of_the_reason_may_end_by_itself() {
    let run = of_a_server().run(async |op| {
        let task = op.spawn(async {
            sleep(secs(6)).await;
            "done"
        });
        sleep(secs(1)).await;
        op.cancel_with(Reason::Shutdown);
        task.await
    });
    assert_eq!(run.await.unwrap().unwrap(), "done");

    let run = of_a_server().run(async |op| {
        let task = op.spawn(sleep(secs(6)));
        sleep(secs(1)).await;
        op.cancel_with(Reason::Disconnected);
        task.await
    });
    assert_eq!(run.await.unwrap_err().reason(), Reason::Disconnected);
}

#[tokio::test]
async fn law_o3_a_thread_is_waited_for_no_longer_than_the_grace_of_the_reason() {
    // One that does not listen: left at once, where others would be waited for an hour.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = tokio::sync::oneshot::channel();
    let plan = Cancelable::new()
        .grace(secs(3600))
        .grace_on(Reason::Disconnected, Duration::ZERO);
    let run = plan.run(async |op| {
        drop(op.spawn_blocking(move || {
            let _ = begin.send(());
            released.recv()
        }));
        begun.await.expect("the thread begins");
        op.cancel_with(Reason::Disconnected);
        pending::<()>().await;
    });
    let outcome = tokio::time::timeout(secs(20), run).await;
    assert!(outcome.expect("it does not wait an hour").is_err());
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn law_o6_a_grace_that_the_body_asks_for_holds_from_then_on() {
    // In place of what the plan said; one that has begun stays as it is.
    for (before, after, lasts) in [(Some(4), None, 4), (None, Some(4), 10)] {
        let start = Instant::now();
        let run = of_a_server().run(async |op| {
            let say = |grace| op.grace_on(Reason::Shutdown, secs(grace));
            before.map(say);
            op.cancel_with(Reason::Shutdown);
            sleep(Duration::from_millis(1)).await;
            after.map(say);
            pending::<()>().await;
        });
        assert!(run.await.is_err());
        assert_eq!(start.elapsed(), secs(lasts));
    }
    // Where nothing was said before, too; and where it is over it has no effect.
    let start = Instant::now();
    let run = Cancelable::new().timeout(secs(1)).run(async |op| {
        op.grace_on(Reason::Timeout, secs(2));
        pending::<()>().await;
    });
    assert!(run.await.is_err());
    assert_eq!(start.elapsed(), secs(3));
    let ended = Cancelable::new().run(async |op| op).await.unwrap();
    ended.grace_on(Reason::Shutdown, secs(1));
}
