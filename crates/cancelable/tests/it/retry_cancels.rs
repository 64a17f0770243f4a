//! Cancels end attempts that would be made again, in whatever they come.

use std::error::Error;
use std::future::pending;
use std::io;
use std::time::Duration;

use cancelable::retry::RetryError;
use cancelable::retry::backon::ConstantBuilder;
use cancelable::{Cancelable, Cancellation, CancellationToken, Operation, OperationStatus, Reason};
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, poll_once, secs};

pub(crate) fn every(delay: Duration) -> ConstantBuilder {
    ConstantBuilder::new().with_delay(delay).without_max_times()
}

pub(crate) async fn fail(_: Operation) -> io::Result<()> {
    Err(io::Error::other("failure"))
}

/// How a retry ends, the time it took, and the status of its operation, where `token` is cancelled after `after`.
async fn cancelled_after<T>(
    after: Duration,
    body: impl AsyncFnOnce(Operation) -> Result<T, RetryError<io::Error>>,
) -> (Result<T, RetryError<io::Error>>, Duration, OperationStatus) {
    let token = CancellationToken::new();
    let (start, handle) = (Instant::now(), Handle::default());
    let run = Cancelable::new().token(&token).try_run(async |op| {
        handle.keep(&op);
        body(op).await
    });
    let cancel = async {
        sleep(after).await;
        token.cancel_with("no longer wanted");
    };
    let (outcome, ()) = futures_util::future::join(run, cancel).await;
    (outcome, start.elapsed(), handle.there().status())
}

#[tokio::test(start_paused = true)]
async fn a_cancel_ends_the_back_off_at_once() {
    let (outcome, elapsed, status) = cancelled_after(secs(5), async |op| {
        op.retry(every(secs(60)), fail).run().await
    })
    .await;
    let error = outcome.unwrap_err();
    assert_eq!(error.cancellation().unwrap().message(), "no longer wanted");
    assert_eq!(
        error.to_string(),
        "stopped after 1 attempt: no longer wanted"
    );
    // What failed before is known, since the body has a last word.
    assert_eq!((error.attempts(), error.failures().count()), (1, 1));
    assert_eq!((elapsed, status), (secs(5), OperationStatus::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_drops_the_attempt_and_there_is_no_other() {
    let log = Log::default();
    let (outcome, elapsed, status) = cancelled_after(secs(5), async |op| {
        let hang = async |_| {
            let _dropped = log.note_on_drop("dropped");
            sleep(secs(60)).await;
            Ok(())
        };
        op.retry(every(secs(1)), hang).run().await
    })
    .await;
    let error = outcome.unwrap_err();
    // As the operation tells it, not as the attempt, which was cancelled by its parent.
    assert_eq!(error.cancellation().unwrap().reason(), Reason::Manual);
    assert_eq!((error.attempts(), error.failures().count()), (1, 0));
    assert_eq!((elapsed, status), (secs(5), OperationStatus::Cancelled));
    assert_eq!(log.take(), ["dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_an_attempt_has_after_all_is_returned() {
    let (outcome, _, status) = cancelled_after(secs(5), async |op| {
        let listen = async |attempt: Operation| {
            attempt.cancelled().await;
            Ok("a last word")
        };
        op.retry(every(secs(1)), listen).run().await
    })
    .await;
    assert_eq!(outcome.unwrap(), "a last word");
    assert_eq!(status, OperationStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn an_error_after_a_cancel_is_not_retried() {
    let (outcome, _, status) = cancelled_after(secs(5), async |op| {
        let listen = async |attempt: Operation| {
            attempt.cancelled().await;
            fail(attempt).await
        };
        op.retry(every(Duration::ZERO), listen)
            .when(|_| unreachable!("nobody asks of an error after a cancel"))
            .run()
            .await
    })
    .await;
    let error = outcome.unwrap_err();
    assert_eq!(error.cancellation().unwrap().message(), "no longer wanted");
    assert_eq!(error.last().unwrap().to_string(), "failure");
    assert_eq!((error.attempts(), status), (1, OperationStatus::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_a_timeout_has_the_grace_of_its_operation() {
    for (timeout, expected) in [(None, secs(8)), (Some(secs(60)), secs(5))] {
        let token = CancellationToken::new();
        let start = Instant::now();
        let run = Cancelable::new()
            .token(&token)
            .grace(secs(10))
            .try_run(async |op| {
                let retry = op.retry(every(secs(1)), async |_| {
                    sleep(secs(8)).await;
                    Ok(())
                });
                match timeout {
                    Some(timeout) => retry.attempt_timeout(timeout).run().await,
                    None => retry.run().await,
                }
            });
        let cancel = async {
            sleep(secs(5)).await;
            token.cancel();
        };
        let (outcome, ()): (Result<_, RetryError<io::Error>>, _) =
            futures_util::future::join(run, cancel).await;
        assert_eq!(outcome.is_ok(), timeout.is_none());
        assert_eq!(start.elapsed(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_is_made_in_an_operation_that_was_cancelled() {
    let outcome = Cancelable::new()
        .grace(secs(1))
        .run(async |op| {
            op.cancel_with("by the body");
            op.retry(every(secs(1)), async |_| -> io::Result<()> {
                unreachable!()
            })
            .run()
            .await
        })
        .await;
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(
        (error.attempts(), error.to_string()),
        (0, "by the body".to_owned())
    );
}

/// Errors that are a cancel, or carry one.
#[tokio::test(start_paused = true)]
async fn an_error_that_carries_a_cancel_is_never_retried() {
    #[derive(Debug)]
    struct Wrapped(Box<dyn Error + Send + Sync>);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }
    let why = Cancellation::new(Reason::Timeout);
    let itself = || anyhow::Error::new(why.clone());
    let deep = || io::Error::other(Wrapped(io::Error::other(why.clone()).into()));
    type Make<'a> = &'a dyn Fn() -> anyhow::Error;
    let makes: [Make<'_>; 5] = [
        &itself,
        &|| itself().context("in a context"),
        &|| deep().into(),
        &|| Wrapped(deep().into()).into(),
        &|| RetryError::<io::Error>::from(why.clone()).into(),
    ];
    for make in makes {
        let outcome = Cancelable::new()
            .run(async |op| {
                op.retry(every(secs(1)), async |_| Err::<(), _>(make()))
                    .when(|_| unreachable!("nobody asks of a cancel"))
                    .attempt_timeout(secs(60))
                    .run()
                    .await
            })
            .await;
        let error = outcome.unwrap().unwrap_err();
        assert_eq!(error.attempts(), 1);
        assert_eq!(error.cancellation(), Some(&why));
        assert!(error.last().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cancelled_by_itself_is_not_retried() {
    for gives_error in [false, true] {
        let outcome = Cancelable::new()
            .run(async |op| {
                let attempts = async |attempt: Operation| {
                    attempt
                        .cancel_with(Cancellation::new(Reason::Timeout).with_message("this one"));
                    match gives_error {
                        true => fail(attempt).await,
                        false => pending().await,
                    }
                };
                op.retry(every(secs(1)), attempts).run().await
            })
            .await;
        let error = outcome.unwrap().unwrap_err();
        assert_eq!(error.cancellation().unwrap().message(), "this one");
        assert_eq!(error.failures().count(), usize::from(gives_error));
    }
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_retry_in_a_shielded_section_goes_on_in_spite_of_a_cancel() {
    let (log, start) = (Log::default(), Instant::now());
    let (outcome, elapsed, status) = cancelled_after(secs(5), async |op| {
        let attempts = async |attempt: Operation| {
            sleep(secs(3)).await;
            match attempt.attempt() {
                4 => Ok(()),
                _ => fail(attempt).await,
            }
        };
        let section = op.retry(every(secs(2)), attempts).run();
        let section = async {
            let outcome = section.await;
            log.note(format!("{:?} {outcome:?}", start.elapsed()));
            outcome
        };
        op.shield(section).await
    })
    .await;
    // The section had its value; the cancel came right after it.
    assert_eq!(log.take(), ["18s Ok(())"]);
    assert!(outcome.unwrap_err().cancellation().is_some());
    assert_eq!((elapsed, status), (secs(18), OperationStatus::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_dropped_drops_its_attempt() {
    let (log, handle) = (Log::default(), Handle::default());
    let outcome = Cancelable::new()
        .run(async |op| {
            let mut retry = Box::pin(
                op.retry(every(secs(1)), async |attempt: Operation| {
                    handle.keep(&attempt);
                    let _dropped = log.note_on_drop("dropped");
                    pending::<io::Result<()>>().await
                })
                .run(),
            );
            assert!(poll_once(retry.as_mut()).is_pending());
            drop(retry);
            log.take()
        })
        .await;
    assert_eq!(outcome.unwrap(), ["dropped"]);
    let context = handle.there().context();
    assert_eq!(context.cancellation.unwrap().reason(), Reason::Dropped);
}

/// A handle is enough, wherever it is used, for as long as the operation is not cancelled.
#[tokio::test(start_paused = true)]
async fn law_o9_attempts_are_current_outside_of_the_body_as_well() {
    let handle = Handle::default();
    let run = Cancelable::new().run(async |op| handle.keep(&op));
    assert!(run.await.is_ok());
    let op = handle.there();
    let attempts = async |attempt: Operation| {
        assert_eq!(Operation::current().unwrap().id(), attempt.id());
        Ok::<_, io::Error>(attempt.context().parent_id)
    };
    let parent = op.retry(every(secs(1)), attempts).run().await;
    assert_eq!(parent.unwrap().as_deref(), Some(op.id()));
    assert!(Operation::current().is_none());
}

#[tokio::test(start_paused = true)]
async fn law_o6_an_attempt_has_the_graces_of_its_operation() {
    for (reason, grace) in [(Reason::Shutdown, 10), (Reason::Disconnected, 0)] {
        // Whatever caused that has no say.
        let why = Cancellation::new(reason).with_cause(Reason::Signal.into());
        let start = Instant::now();
        let plan = Cancelable::new().grace_on(Reason::Shutdown, secs(10));
        let outcome = plan.run(async |op| {
            let attempt = async |_| {
                op.cancel_with(why.clone());
                pending::<io::Result<()>>().await
            };
            op.retry(every(secs(1)), attempt).run().await.map_err(drop)
        });
        assert_ne!(outcome.await, Ok(Ok(())));
        assert_eq!(start.elapsed(), secs(grace), "after an ask with {reason}");
    }
}
