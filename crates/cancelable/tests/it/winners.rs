//! O2: who won, where the body and a cancel, or two cancels, come in one instant.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, CancellationToken, OperationStatus, Reason};
use tokio::sync::oneshot;
use tokio::task::{consume_budget, yield_now};
use tokio::time::{Instant, sleep};

use crate::support::{Handle, compute_for, poll_once, secs};

#[tokio::test(start_paused = true)]
async fn law_o2_a_body_that_is_ready_with_its_timeout_has_finished() {
    let handle = Handle::default();
    let keep = handle.clone();
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async move |op| {
            keep.keep(&op);
            sleep(secs(1)).await;
            "in time"
        })
        .await;
    assert_eq!(outcome.unwrap(), "in time");
    assert_eq!(handle.there().status(), OperationStatus::Completed);
}

#[tokio::test]
async fn law_o2_a_value_in_the_same_poll_as_a_cancel_is_returned() {
    let (token, handle) = (CancellationToken::new(), Handle::default());
    let keep = handle.clone();
    let (send, receive) = oneshot::channel();
    let mut run = pin!(Cancelable::new().token(&token).run(async move |op| {
        keep.keep(&op);
        receive.await.unwrap()
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    token.cancel_with("just now");
    send.send(7).unwrap();
    let Poll::Ready(Ok(7)) = poll_once(run.as_mut()) else {
        panic!("the body has finished");
    };
    let context = handle.there().context();
    assert_eq!(context.status, OperationStatus::Completed);
    assert_eq!(context.cancellation.unwrap().message(), "just now");
}

#[tokio::test]
async fn law_o2_an_error_after_an_ask_is_cancelled_and_before_it_failed() {
    async fn check(asks: bool) -> (OperationStatus, Option<String>, String) {
        let handle = Handle::default();
        let keep = handle.clone();
        let outcome = Cancelable::new()
            .try_run(async move |op| -> Result<(), Box<dyn std::error::Error>> {
                keep.keep(&op);
                if asks {
                    op.cancel();
                }
                Err("the disk is full".into())
            })
            .await;
        let context = handle.there().context();
        let error = outcome.unwrap_err().to_string();
        (context.status, context.error, error)
    }
    let error = "the disk is full".to_owned();
    assert_eq!(
        check(true).await,
        (OperationStatus::Cancelled, None, error.clone())
    );
    assert_eq!(
        check(false).await,
        (OperationStatus::Failed, Some(error.clone()), error)
    );
}

#[tokio::test(start_paused = true)]
async fn law_o2_a_limit_counts_through_a_body_that_computes_first() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(2))
        .run(async |_| {
            compute_for(secs(5));
            pending::<()>().await;
        })
        .await;
    let why = outcome.unwrap_err();
    assert_eq!(why.to_string(), "timed out after 2s");
    assert_eq!(start.elapsed(), secs(5));

    let outcome = Cancelable::new()
        .timeout(secs(4))
        .run(async |_| {
            compute_for(secs(3));
            sleep(secs(3)).await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(start.elapsed(), secs(9));

    // It never waits, so it finishes.
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |_| compute_for(secs(3)))
        .await;
    assert!(outcome.is_ok());
}

#[tokio::test(start_paused = true)]
async fn law_o2_of_a_token_and_a_timeout_the_first_to_fire_counts() {
    for token_first in [true, false] {
        let token = CancellationToken::new();
        let mut run = pin!(
            Cancelable::new()
                .timeout(secs(1))
                .token(&token)
                .run(async |_| pending::<()>().await)
        );
        assert!(poll_once(run.as_mut()).is_pending());
        if token_first {
            token.cancel();
            tokio::time::advance(secs(2)).await;
        } else {
            tokio::time::advance(secs(2)).await;
        }
        let outcome = run.await;
        token.cancel();
        let expected = if token_first {
            Reason::Manual
        } else {
            Reason::Timeout
        };
        assert_eq!(outcome.unwrap_err().reason(), expected);
    }
}

#[tokio::test]
async fn law_o2_of_two_tokens_the_first_to_fire_counts() {
    let (one, two) = (CancellationToken::new(), CancellationToken::new());
    let mut run = pin!(
        Cancelable::new()
            .token(&one)
            .token(&two)
            .run(async |_| pending::<()>().await)
    );
    assert!(poll_once(run.as_mut()).is_pending());
    two.cancel_with("the second given");
    one.cancel_with("the first given");
    assert_eq!(run.await.unwrap_err().message(), "the second given");
}

/// A body that uses up its share of every poll, and computes; it gives up after ten minutes.
async fn greedy() -> &'static str {
    for _ in 0..600_000 {
        compute_for(Duration::from_millis(1));
        consume_budget().await;
    }
    "escaped"
}

#[tokio::test(start_paused = true)]
async fn law_o2_a_body_that_leaves_no_budget_times_out() {
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |_| greedy().await)
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
}

#[tokio::test]
async fn law_o2_a_body_that_leaves_no_budget_still_has_conditions() {
    let outcome = Cancelable::new()
        .condition("met", secs(1), || true)
        .run(async |_| {
            loop {
                consume_budget().await;
            }
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Condition);
}

#[tokio::test]
async fn law_o2_a_body_that_asks_for_its_own_end_stops_at_its_next_await() {
    let reached = AtomicU32::new(0);
    let outcome: Result<(), Cancellation> = Cancelable::new()
        .run(async |op| {
            op.cancel_with("by myself");
            reached.fetch_add(1, Ordering::SeqCst);
            yield_now().await;
            reached.fetch_add(1, Ordering::SeqCst);
        })
        .await;
    assert_eq!(outcome.unwrap_err().message(), "by myself");
    assert_eq!(reached.load(Ordering::SeqCst), 1);
}
