//! O6: with a grace period the body has so long to finish by itself.

use std::future::pending;
use std::time::Duration;

use cancelable::{Cancelable, CancellationToken, OperationStatus, Reason};
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, heard, poll_once, secs};

#[tokio::test(start_paused = true)]
async fn law_o6_a_body_that_finishes_in_its_grace_has_finished() {
    let (log, handle) = (Log::default(), Handle::default());
    let outcome = heard(&log)
        .timeout(secs(1))
        .grace(secs(10))
        .run(async |op| {
            handle.keep(&op);
            let why = op.cancelled().await;
            assert_eq!(op.status(), OperationStatus::Cancelling);
            sleep(secs(3)).await;
            why.reason()
        })
        .await;
    assert_eq!(outcome, Ok(Reason::Timeout));
    assert_eq!(log.take(), ["start running", "complete completed"]);
    let context = handle.there().context();
    assert_eq!(context.cancellation.unwrap().reason(), Reason::Timeout);
    assert_eq!(context.since_asked, Some(secs(3)));
}

#[tokio::test(start_paused = true)]
async fn law_o6_a_body_that_does_not_is_dropped_when_the_grace_is_over() {
    let log = Log::default();
    let start = Instant::now();
    let outcome = heard(&log)
        .timeout(secs(1))
        .grace(secs(10))
        .run(async |_| {
            let _dropped = log.note_on_drop("dropped");
            sleep(secs(5)).await;
            log.note("at work");
            pending::<()>().await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(start.elapsed(), secs(11));
    let expected = ["start running", "at work", "dropped", "cancel cancelled"];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn law_o6_counts_from_the_ask_whoever_asked() {
    let token = CancellationToken::new();
    let start = Instant::now();
    let asking = {
        let token = token.clone();
        tokio::spawn(async move {
            sleep(secs(4)).await;
            token.cancel_with("from a task");
            // A second ask begins no second grace.
            sleep(secs(2)).await;
            token.cancel_with("again");
        })
    };
    let run = Cancelable::new()
        .token(&token)
        .grace(secs(3))
        .timeout(secs(5));
    let outcome = run.run(async |_| pending::<()>().await).await;
    assert_eq!(outcome.unwrap_err().message(), "from a task");
    assert_eq!(start.elapsed(), secs(7));
    asking.await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn law_o6_waits_for_shields() {
    let log = Log::default();
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .grace(secs(2))
        .run(async |op| {
            sleep(secs(2)).await;
            op.shield(sleep(secs(5))).await;
            log.note("after");
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(start.elapsed(), secs(7));
    assert!(log.take().is_empty(), "the grace was over long before");

    // A shield that ends in time leaves the rest of the grace.
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .grace(secs(5))
        .run(async |op| {
            op.shield(sleep(secs(3))).await;
            log.note("after");
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(
        (start.elapsed(), log.take()),
        (secs(6), vec!["after".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn law_o6_none_and_one_without_an_end() {
    let start = Instant::now();
    let run = Cancelable::new().timeout(secs(1)).grace(Duration::ZERO);
    assert!(run.run(async |_| pending::<()>().await).await.is_err());
    assert_eq!(start.elapsed(), secs(1));

    let run = Cancelable::new().timeout(secs(1)).grace(Duration::MAX);
    let outcome = run.run(async |_| {
        sleep(secs(100_000)).await;
        7
    });
    assert_eq!(outcome.await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn law_o6_an_inner_grace_is_the_inner_ones_own() {
    // Those that enclose it have none, so its body goes with theirs.
    let inner = async |log: &Log| {
        let inner = heard(log).grace(secs(10));
        inner.run(async |_| pending::<()>().await).await
    };
    let (log, start) = (Log::default(), Instant::now());
    let outer = Cancelable::new().timeout(secs(1));
    assert!(outer.run(async |_| inner(&log).await).await.is_err());
    assert_eq!(start.elapsed(), secs(1));
    assert_eq!(log.take(), ["start running", "cancel cancelled"]);

    // Also where the inner one was polled, and had begun its grace.
    let token = CancellationToken::new();
    let outer = Cancelable::new().token(&token);
    let mut outer = Box::pin(outer.run(async |_| inner(&log).await));
    assert!(poll_once(outer.as_mut()).is_pending());
    token.cancel();
    assert!(poll_once(outer.as_mut()).is_ready());
    assert_eq!(log.take(), ["start running", "cancel cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn law_o6_an_error_in_the_grace_is_cancelled() {
    let log = Log::default();
    let outcome: Result<(), Box<dyn std::error::Error>> = heard(&log)
        .timeout(secs(1))
        .grace(secs(10))
        .try_run(async |op| {
            let why = op.cancelled().await;
            sleep(secs(1)).await;
            Err(why.into())
        })
        .await;
    assert_eq!(outcome.unwrap_err().to_string(), "timed out after 1s");
    assert_eq!(log.take(), ["start running", "cancel cancelled"]);
}
