//! The attempts themselves: one after the other, each an operation of its own.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ::backon::Backoff;
use cancelable_core::{Cancellation, Progress, Reason};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::as_error::{AsError, cancellation_in};
use super::error::{RetryError, Stopped};
use super::failed::{FailedAttempt, Failure, Failures};
use super::{Retry, Terms};
use crate::builder::Cancelable;
use crate::operation::{Operation, current};

/// A retry that runs.
pub(super) struct Attempts<B, F, E, W, A, N> {
    retry: Retry<B, F, E, W, A, N>,
    begun: u32,
    failures: Failures<E>,
}

impl<B, F, E, W, A, N> Attempts<B, F, E, W, A, N>
where
    B: Backoff,
    W: FnMut(&E) -> bool,
    A: FnMut(&FailedAttempt<E>, Option<Duration>) -> Option<Duration>,
    N: FnMut(&FailedAttempt<E>, Duration),
{
    pub(super) fn new(retry: Retry<B, F, E, W, A, N>) -> Self {
        Self {
            retry,
            begun: 0,
            failures: Failures::none(),
        }
    }

    pub(super) async fn run<Fut, T, K: ?Sized>(mut self) -> Result<T, RetryError<E>>
    where
        F: FnMut(Operation) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: AsError<K>,
    {
        match self.until_there_is_a_value().await {
            Ok(value) => Ok(value),
            Err(stopped) => Err(RetryError {
                stopped,
                attempts: self.begun,
                failures: self.failures,
            }),
        }
    }

    async fn until_there_is_a_value<Fut, T, K: ?Sized>(&mut self) -> Result<T, Stopped>
    where
        F: FnMut(Operation) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: AsError<K>,
    {
        self.go_on_after(Duration::ZERO).await?;
        loop {
            if let Some(value) = self.attempt().await? {
                return Ok(value);
            }
            let delay = self.delay()?;
            self.go_on_after(delay).await?;
            self.announce(delay);
            self.back_off(delay).await;
            // It may have come to an end late, or because of a cancel.
            self.go_on_after(Duration::ZERO).await?;
        }
    }

    /// Makes one attempt; `None` if it failed.
    async fn attempt<Fut, T, K: ?Sized>(&mut self) -> Result<Option<T>, Stopped>
    where
        F: FnMut(Operation) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: AsError<K>,
    {
        self.begun = self.begun.saturating_add(1);
        let start = Instant::now();
        let plan = self.plan();
        let attempt = &mut self.retry.attempt;
        let mut handle = None;
        let outcome = plan.try_run(|operation| {
            handle = Some(operation.clone());
            let attempt = attempt(operation);
            async {
                let outcome = attempt.await;
                outcome.map_err(|error| Unsuccessful::Error(error, E::as_error))
            }
        });
        let unsuccessful = match outcome.await {
            Ok(value) => return Ok(Some(value)),
            Err(unsuccessful) => unsuccessful,
        };
        let (ask, error) = match unsuccessful {
            Unsuccessful::Cancelled(why) => (Some(why), None),
            // One that was asked to stop may have had an error for its last word.
            Unsuccessful::Error(error, _) => {
                (handle.and_then(|handle| handle.cancellation()), Some(error))
            }
        };
        let has_timeout = self.retry.terms.timeout.is_some();
        let (timed_out, ask) = match ask {
            Some(why) if has_timeout && why.reason() == Reason::Timeout => (Some(why), None),
            ask => (None, ask),
        };
        let carried = error.as_ref().map(E::as_error).and_then(cancellation_in);
        let carried = carried.filter(|_| timed_out.is_none()).cloned();
        let failure = match (timed_out, error) {
            (Some(why), error) => Some(Failure::TimedOut(why, error)),
            (None, error) => error.map(Failure::Error),
        };
        if let Some(failure) = failure {
            self.failures.push(FailedAttempt {
                number: self.begun,
                took: start.elapsed(),
                failure,
                as_error: E::as_error,
            });
        }
        // What ended the operation counts, if that was cancelled, and not what its attempt made of that.
        let asked = asked(&self.retry.terms.operation).await;
        match asked.or(ask).or(carried) {
            Some(why) => Err(Stopped::Cancelled(why)),
            None => Ok(None),
        }
    }

    /// The next attempt, as an operation.
    fn plan(&self) -> Cancelable {
        let Terms {
            operation, timeout, ..
        } = &self.retry.terms;
        let mut plan = operation.child().attempt(self.begun);
        if let Some(name) = operation.name() {
            plan = plan.name(name);
        }
        match *timeout {
            Some(timeout) => plan.timeout(timeout),
            None => plan.graces_of(operation),
        }
    }

    /// How long it is until the attempt after the one that failed last.
    fn delay(&mut self) -> Result<Duration, Stopped> {
        let failed = self.failures.last().expect("an attempt has failed");
        if let Failure::Error(error) = &failed.failure
            && !(self.retry.when)(error)
        {
            return Err(Stopped::Refused);
        }
        let delay = self.retry.backoff.next();
        (self.retry.adjust)(failed, delay).ok_or(Stopped::Exhausted)
    }

    /// Whether there is to be an attempt after such a delay.
    async fn go_on_after(&self, delay: Duration) -> Result<(), Stopped> {
        let Terms {
            operation, needs, ..
        } = &self.retry.terms;
        // Before it is asked whether the time is up: what has none left by now is cancelled then.
        let left = operation.remaining();
        if let Some(why) = asked(operation).await {
            return Err(Stopped::Cancelled(why));
        }
        let needed = delay.saturating_add(*needs);
        match left {
            Some(left) if left <= needed => Err(Stopped::OutOfTime { needed, left }),
            Some(_) | None => Ok(()),
        }
    }

    /// Tells those who want to know that an attempt has failed, and when there is another.
    fn announce(&mut self, delay: Duration) {
        let failed = self.failures.last().expect("an attempt has failed");
        (self.retry.notify)(failed, delay);
        let operation = &self.retry.terms.operation;
        let number = failed.number;
        tracing::warn!(
            operation = operation.id(),
            attempt = number,
            error = %failed,
            ?delay,
            "an attempt failed, and there will be another"
        );
        let message = format!("attempt {number} failed, the next begins in {delay:?}");
        let progress = Progress::new(message)
            .with("attempt", number)
            .with("error", failed.to_string())
            .with("delay_seconds", delay.as_secs_f64());
        operation.report_progress(progress);
    }

    /// Waits for so long, or until the operation is cancelled.
    async fn back_off(&self, delay: Duration) {
        let operation = &self.retry.terms.operation;
        if delay.is_zero() {
            // Attempts that fail at once would keep their task from everything else, and themselves from its end; to sleep
            // would take until the clock's next tick.
            yield_now().await;
        } else if current::shielded(operation).is_some() {
            sleep(delay).await;
        } else {
            let _ = operation.token().run_until_cancelled(sleep(delay)).await;
        }
    }
}

/// Why what runs here for `operation` is to stop, if it is: nothing reaches into a shielded section.
async fn asked(operation: &Operation) -> Option<Cancellation> {
    if current::shielded(operation).is_some() {
        return None;
    }
    let was_asked = operation.is_cancelled();
    operation.look_at_the_clock();
    let why = operation.cancellation()?;
    if !was_asked {
        // Time that is up gives no last word: whoever drives the operation has its turn here.
        yield_now().await;
    }
    Some(why)
}

/// How an attempt ends without a value.
enum Unsuccessful<E> {
    Cancelled(Cancellation),
    Error(E, fn(&E) -> &(dyn Error + 'static)),
}

impl<E> From<Cancellation> for Unsuccessful<E> {
    fn from(why: Cancellation) -> Self {
        Self::Cancelled(why)
    }
}

/// For the record of the attempt.
impl<E> fmt::Display for Unsuccessful<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(why) => fmt::Display::fmt(why, f),
            Self::Error(error, as_error) => fmt::Display::fmt(as_error(error), f),
        }
    }
}
