//! Attempts that are made again: how many, when, with what errors, and what they tell.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::iter;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cancelable::retry::backon::{ExponentialBuilder, FibonacciBuilder};
use cancelable::retry::{RetryError, Stopped};
use cancelable::{Cancelable, Cancellation, Operation, OperationStatus, Reason};
use futures_util::FutureExt;
use tokio::time::{Instant, sleep};

use crate::retry_cancels::every;
use crate::support::{Log, heard, secs};

/// Fails with the number of the attempt for its error, and from `good` on has it for its value.
fn until(good: u32) -> impl Fn(Operation) -> std::future::Ready<io::Result<u32>> {
    move |attempt| {
        let number = attempt.attempt();
        let failed = || io::Error::other(format!("failure {number}"));
        std::future::ready((number >= good).then_some(number).ok_or_else(failed))
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_are_made_until_one_gives_a_value() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .run(async |op| op.retry(every(secs(2)), until(4)).run().await)
        .await
        .unwrap();
    assert_eq!(outcome.unwrap(), 4);
    assert_eq!(start.elapsed(), secs(6));
}

#[tokio::test(start_paused = true)]
async fn any_back_off_will_do() {
    let run = async |op: Operation| {
        let exponential = ExponentialBuilder::new().with_max_times(3);
        let a = op.retry(exponential, until(3)).run().await;
        let b = op.retry(&FibonacciBuilder::new(), until(3)).run().await;
        let c = op
            .retry([secs(1), secs(5)].into_iter(), until(3))
            .run()
            .await;
        let d = op
            .retry(iter::repeat(Duration::ZERO), until(300))
            .run()
            .await;
        (a.unwrap(), b.unwrap(), c.unwrap(), d.unwrap())
    };
    assert_eq!(Cancelable::new().run(run).await.unwrap(), (3, 3, 3, 300));
}

#[tokio::test(start_paused = true)]
async fn the_error_has_every_attempt_and_why_there_was_no_other() {
    let outcome = Cancelable::new()
        .run(async |op| {
            op.retry([secs(1), secs(2)].into_iter(), until(9))
                .run()
                .await
        })
        .await;
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(*error.stopped(), Stopped::Exhausted);
    assert_eq!((error.attempts(), error.cancellation()), (3, None));
    assert_eq!(error.to_string(), "gave up after 3 attempts: failure 3");
    let failed: Vec<_> = error
        .failures()
        .map(|failed| (failed.number(), failed.to_string(), failed.timed_out()))
        .collect();
    assert_eq!(
        failed,
        [1, 2, 3].map(|n| (n, format!("failure {n}"), false))
    );
    let source = error.source().expect("the last attempt failed");
    assert!(source.downcast_ref::<io::Error>().is_some());
    assert_eq!(error.last().unwrap().to_string(), "failure 3");
    assert_eq!(error.into_last().unwrap().to_string(), "failure 3");
}

#[tokio::test(start_paused = true)]
async fn of_very_many_failures_the_newest_are_kept() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .run(async |op| {
            let thousand = iter::repeat_n(Duration::ZERO, 999);
            op.retry(thousand, until(u32::MAX)).run().await
        })
        .await;
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(error.attempts(), 1000);
    let numbers: Vec<_> = error.failures().map(|failed| failed.number()).collect();
    assert_eq!(numbers, (985..=1000).collect::<Vec<_>>());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_for_good_is_not_retried() {
    let outcome = Cancelable::new()
        .run(async |op| {
            op.retry(every(secs(1)), until(9))
                .when(|error| error.to_string() != "failure 2")
                .run()
                .await
        })
        .await;
    let error = outcome.unwrap().unwrap_err();
    assert_eq!((error.stopped(), error.attempts()), (&Stopped::Refused, 2));
    assert_eq!(
        error.to_string(),
        "gave up after 2 attempts, as no other would help: failure 2"
    );
}

#[tokio::test(start_paused = true)]
async fn the_delay_can_be_adjusted_and_is_told() {
    let log = Log::default();
    let start = Instant::now();
    let outcome = Cancelable::new()
        .run(async |op| {
            op.retry(every(secs(1)), until(9))
                .adjust(|failed, delay| match failed.number() {
                    1 => delay,
                    2 => Some(secs(30)),
                    _ => None,
                })
                .notify(|failed, delay| log.note(format!("{failed}, {delay:?}")))
                .run()
                .await
        })
        .await;
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(
        (error.stopped(), error.attempts()),
        (&Stopped::Exhausted, 3)
    );
    assert_eq!(log.take(), ["failure 1, 1s", "failure 2, 30s"]);
    assert_eq!(start.elapsed(), secs(31));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ran_out_of_its_own_time_is_retried() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(60))
        .run(async |op| {
            let slow = async |attempt: Operation| {
                assert!(attempt.remaining().unwrap() <= secs(5));
                sleep(secs(10)).await;
                io::Result::Ok(())
            };
            op.retry([secs(1), secs(1)].into_iter(), slow)
                .attempt_timeout(secs(5))
                .when(|_| unreachable!("there is no error to judge"))
                .run()
                .await
        })
        .await;
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(
        (error.stopped(), error.attempts()),
        (&Stopped::Exhausted, 3)
    );
    assert_eq!(
        error.to_string(),
        "gave up after 3 attempts: timed out after 5s"
    );
    assert!(error.failures().all(|failed| failed.timed_out()));
    assert!(error.failures().all(|failed| failed.took() == secs(5)));
    assert_eq!(start.elapsed(), secs(17));
    assert!(error.last().is_none() && error.into_last().is_none());
}

/// A loop without an await hears of its attempt's time by a checkpoint, and has an error for it.
#[tokio::test(start_paused = true)]
async fn an_attempt_may_say_itself_that_its_time_is_up() {
    let outcome = Cancelable::new()
        .run(async |op| {
            let compute = async |_| {
                crate::support::compute_for(secs(9));
                loop {
                    cancelable::checkpoint()?;
                }
            };
            op.retry([Duration::ZERO].into_iter(), compute)
                .attempt_timeout(secs(5))
                .run::<_, (), _>()
                .await
        })
        .await;
    let error: RetryError<anyhow::Error> = outcome.unwrap().unwrap_err();
    assert_eq!(
        (error.stopped(), error.attempts()),
        (&Stopped::Exhausted, 2)
    );
    assert!(error.failures().all(|failed| failed.timed_out()));
    assert!(error.last().unwrap().is::<Cancellation>());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_an_operation_inside_and_a_report() {
    let (log, seen) = (Log::default(), Rc::new(RefCell::new(Vec::new())));
    let kept = Rc::clone(&seen);
    let reports = log.clone();
    let outcome = Cancelable::new()
        .name("fetch")
        .on_progress(move |op, progress| {
            let at = &progress.metadata;
            let numbers = (&at["attempt"], &at["error"], &at["delay_seconds"]);
            reports.note(format!("{:?} {} {numbers:?}", op.name(), progress.message));
        })
        .run(async |op| {
            let attempts = async |attempt: Operation| {
                assert_eq!(Operation::current().unwrap().id(), attempt.id());
                kept.borrow_mut().push(attempt.clone());
                until(2)(attempt).await
            };
            let outcome = op.retry(every(secs(1)), attempts).run().await;
            (op.id().to_owned(), outcome.unwrap())
        })
        .await;
    let (id, value) = outcome.unwrap();
    assert_eq!(value, 2);
    assert_eq!(
        log.take(),
        [
            r#"Some("fetch") attempt 1 failed, the next begins in 1s (Number(1), String("failure 1"), Number(1.0))"#
        ]
    );
    let contexts: Vec<_> = seen.borrow().iter().map(Operation::context).collect();
    for (context, status) in contexts
        .iter()
        .zip([OperationStatus::Failed, OperationStatus::Completed])
    {
        assert_eq!(context.status, status);
        assert_eq!(context.name.as_deref(), Some("fetch"));
        assert_eq!(context.parent_id.as_deref(), Some(&*id));
    }
    assert_eq!((contexts[0].attempt, contexts[1].attempt), (1, 2));
    assert_eq!(contexts[0].error.as_deref(), Some("failure 1"));
}

#[tokio::test(start_paused = true)]
async fn what_an_attempt_has_spawned_is_over_before_the_next() {
    let log = Log::default();
    let outcome = Cancelable::new()
        .run(async |op| {
            let attempts = async |attempt: Operation| {
                log.note(format!("attempt {}", attempt.attempt()));
                let task = log.note_on_drop("task");
                drop(attempt.spawn(async move {
                    let _task = task;
                    sleep(secs(60)).await;
                }));
                sleep(secs(2)).await;
                io::Result::Ok(())
            };
            op.retry([secs(1)].into_iter(), attempts)
                .attempt_timeout(secs(1))
                .run()
                .await
        })
        .await;
    assert_eq!(outcome.unwrap().unwrap_err().attempts(), 2);
    assert_eq!(log.take(), ["attempt 1", "task", "attempt 2", "task"]);
}

#[tokio::test(start_paused = true)]
async fn boxes_of_errors_and_those_of_anyhow_will_do() {
    let run = async |op: Operation| {
        let once = || [Duration::ZERO].into_iter();
        let boxed = async |_| Err::<(), Box<dyn Error + Send + Sync>>("boxed".into());
        let unsendable = async |_| Err::<(), Box<dyn Error>>("unsendable".into());
        let any = async |_| Err::<(), _>(anyhow::anyhow!("any"));
        let number = async |_| "no number".parse::<u32>();
        [
            op.retry(once(), boxed).run().await.unwrap_err().to_string(),
            op.retry(once(), unsendable)
                .run()
                .await
                .unwrap_err()
                .to_string(),
            op.retry(once(), any).run().await.unwrap_err().to_string(),
            op.retry(once(), number)
                .run()
                .await
                .unwrap_err()
                .to_string(),
        ]
    };
    let texts = Cancelable::new().run(run).await.unwrap();
    let expected = [
        "boxed",
        "unsendable",
        "any",
        "invalid digit found in string",
    ];
    assert_eq!(
        texts,
        expected.map(|text| format!("gave up after 2 attempts: {text}"))
    );
}

/// What is awaited can go to another thread when the attempts can; plain and async closures fit, and may change what they use.
#[tokio::test(start_paused = true)]
async fn attempts_may_borrow_and_change_and_go_to_another_thread() {
    let task = tokio::spawn(Cancelable::new().run(async |op| {
        let client = Arc::new("client".to_owned());
        let mut calls = 0;
        let changing = |_| {
            calls += 1;
            let is_good = calls == 3;
            async move {
                tokio::task::yield_now().await;
                let failed = || io::Error::other("not yet");
                is_good.then_some(3).ok_or_else(failed)
            }
        };
        let three = op.retry(every(secs(1)), changing).run().await?;
        let borrowing = async |attempt| until(2)(attempt).await.map(|_| client.len());
        let length = op.retry(every(secs(1)), borrowing).run().await?;
        let moving = |attempt: Operation| {
            let client = Arc::clone(&client);
            async move {
                tokio::task::yield_now().await;
                until(2)(attempt).await.map(|n| n + client.len() as u32)
            }
        };
        let sum = op.retry(every(secs(1)), moving).run().await?;
        Ok::<_, RetryError<io::Error>>((calls, three, length, sum))
    }));
    assert_eq!(task.await.unwrap().unwrap().unwrap(), (3, 3, 6, 8));
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_an_attempt_or_of_a_hook_is_one_of_the_operation() {
    for hook in [false, true] {
        let log = Log::default();
        let run = heard(&log).run(async |op| {
            op.retry(every(secs(1)), async |_| {
                assert!(hook, "in an attempt");
                Err::<(), _>(io::Error::other("failure"))
            })
            .when(|_| panic!("in a hook"))
            .run()
            .await
        });
        assert!(
            std::panic::AssertUnwindSafe(run)
                .catch_unwind()
                .await
                .is_err()
        );
        assert_eq!(log.take(), ["start running", "error failed"]);
    }
}

#[test]
fn a_cancellation_becomes_the_error_of_a_retry() {
    let error = RetryError::<io::Error>::from(Cancellation::manual("no longer wanted"));
    assert_eq!(error.to_string(), "no longer wanted");
    assert_eq!(error.cancellation().unwrap().reason(), Reason::Manual);
    assert_eq!((error.attempts(), error.failures().count()), (0, 0));
}
