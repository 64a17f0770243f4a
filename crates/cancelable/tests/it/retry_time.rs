//! Time ends attempts that would be made again: when it is up, and as soon as it cannot pay for another.

use std::io;
use std::iter;
use std::time::Duration;

use cancelable::retry::{RetryError, Stopped};
use cancelable::{Cancelable, CancellationToken, OperationStatus, Reason};
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep};

use crate::retry_cancels::{every, fail};
use crate::support::{Handle, secs};

#[tokio::test(start_paused = true)]
async fn an_attempt_that_the_time_left_cannot_pay_for_is_not_waited_for() {
    // The limit, the back-off, what an attempt needs; how many are made, and in what time.
    for (limit, delay, needs, attempts, elapsed) in [
        (secs(10), secs(4), secs(0), 3, secs(8)),
        (secs(10), secs(5), secs(0), 2, secs(5)),
        (secs(10), secs(4), secs(3), 2, secs(4)),
        (secs(10), secs(4), secs(2), 2, secs(4)),
        (secs(10), secs(0), secs(10), 0, secs(0)),
        (secs(10), Duration::MAX, secs(1), 1, secs(0)),
        (secs(10), secs(1), Duration::MAX, 0, secs(0)),
    ] {
        let (start, handle) = (Instant::now(), Handle::default());
        let outcome: Result<(), _> = Cancelable::new()
            .timeout(limit)
            .try_run(async |op| {
                handle.keep(&op);
                op.retry(every(delay), fail)
                    .attempt_needs(needs)
                    .run()
                    .await
            })
            .await;
        let error = outcome.unwrap_err();
        let context = (limit, delay, needs);
        let Stopped::OutOfTime { needed, left } = *error.stopped() else {
            panic!("{error} {context:?}");
        };
        assert_eq!(
            (error.attempts(), start.elapsed()),
            (attempts, elapsed),
            "{context:?}"
        );
        assert_eq!(left, limit - elapsed, "{context:?}");
        assert!(needed >= left, "{context:?}");
        // It gave up by itself: nobody cancelled it.
        assert_eq!(handle.there().status(), OperationStatus::Failed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_what_encloses_the_operation_counts_as_well() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(10))
        .run(async |_| {
            let inner = Cancelable::new();
            inner
                .run(async |op| op.retry(every(secs(20)), fail).run().await)
                .await
        })
        .await;
    let error = outcome.unwrap().unwrap().unwrap_err();
    assert!(matches!(error.stopped(), Stopped::OutOfTime { .. }));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// The limit of the operation is no timeout of an attempt, though an attempt may find it first.
#[tokio::test(start_paused = true)]
async fn the_operations_own_timeout_is_not_retried() {
    let hang = async |_| {
        sleep(secs(60)).await;
        io::Result::Ok(())
    };
    // The attempt's time is up before, with, and after the operation's; or no attempt takes any time.
    for attempt in [secs(3), secs(5), secs(7)] {
        let (start, handle) = (Instant::now(), Handle::default());
        let outcome = Cancelable::new()
            .timeout(secs(5))
            .run(async |op| {
                handle.keep(&op);
                let retry = op.retry(iter::repeat(Duration::ZERO), hang);
                retry.attempt_timeout(attempt).run().await
            })
            .await;
        assert_eq!(outcome.unwrap_err().to_string(), "timed out after 5s");
        assert_eq!(start.elapsed(), secs(5));
        assert_eq!(handle.there().status(), OperationStatus::Cancelled);
    }
}

/// Attempts that fail at once, with nothing in between, neither keep the operation from its end nor others from their turn.
#[tokio::test]
async fn attempts_that_fail_at_once_keep_nobody_from_anything() {
    let token = CancellationToken::new();
    let run = Cancelable::new()
        .token(&token)
        .try_run(async |op| op.retry(iter::repeat(Duration::ZERO), fail).run().await);
    let cancel = async {
        tokio::task::yield_now().await;
        token.cancel();
    };
    // Nor where nothing else makes them give way.
    let both = unconstrained(futures_util::future::join(run, cancel));
    let (outcome, ()): (Result<(), RetryError<io::Error>>, _) = both.await;
    assert!(outcome.unwrap_err().cancellation().is_some());

    let limited = Cancelable::new().timeout(Duration::from_millis(20));
    let outcome = limited
        .run(async |op| op.retry(iter::repeat(Duration::ZERO), fail).run().await)
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
}

#[tokio::test(start_paused = true)]
async fn law_o5_the_time_of_a_retry_in_a_shielded_section_is_the_shields() {
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .grace(secs(60))
        .run(async |op| {
            let section = op.retry(every(secs(4)), fail).run();
            op.shield(section).limit(secs(10)).await.unwrap()
        })
        .await;
    let error = outcome.unwrap().unwrap_err();
    let (needed, left) = (secs(4), secs(2));
    assert_eq!(*error.stopped(), Stopped::OutOfTime { needed, left });
    assert_eq!(error.attempts(), 3);
}
