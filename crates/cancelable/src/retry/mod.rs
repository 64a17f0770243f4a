//! Trying again: attempts with a back-off of [backon] between them, that end with their operation.
//!
//! [`Operation::retry`] makes a [`Retry`], which is told what to do by its methods, and does it once it is [run](Retry::run).
//!
//! # When it stops
//!
//! - **With the first value.** One that comes in the same instant as a cancel is still returned.
//! - **When the operation is cancelled**: an attempt is dropped as any operation inside is, a back-off ends at once. In a
//!   [shielded](Operation::shield) section, which runs to its end, neither hears of it.
//! - **With a cancel of any kind.** An error that is a [`Cancellation`](crate::Cancellation), or has one in its chain of sources, is
//!   never retried: whoever cancelled did not want it done once more. The one exception is an attempt that ran out of the
//!   time that [`attempt_timeout`](Retry::attempt_timeout) gave it.
//! - **When the time left cannot pay for another attempt.** That is so when [`remaining`](Operation::remaining) is no longer than
//!   the back-off before it and what an attempt [needs](Retry::attempt_needs), together; then nobody sleeps for nothing.
//! - **When the back-off has no more to give**, [`adjust`](Retry::adjust) says so, or [`when`](Retry::when) says of an error that it
//!   is for good.
//!
//! In every case but the first there is a [`RetryError`], which says which attempts failed and why there was no other.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! use cancelable::Cancelable;
//! use cancelable::retry::{Stopped, backon::ConstantBuilder};
//! use std::io;
//! use std::time::Duration;
//! use tokio::time::Instant;
//!
//! let every_four_seconds = ConstantBuilder::default().with_delay(Duration::from_secs(4));
//! let start = Instant::now();
//! let outcome = Cancelable::new()
//!     .timeout(Duration::from_secs(10))
//!     .try_run(async |op| {
//!         let connect = async |_| Err::<(), _>(io::Error::other("connection refused"));
//!         op.retry(every_four_seconds, connect).run().await
//!     })
//!     .await;
//!
//! // After the third attempt two seconds are left, and the next would begin in four.
//! let error = outcome.unwrap_err();
//! assert!(matches!(error.stopped(), Stopped::OutOfTime { .. }));
//! assert_eq!(error.attempts(), 3);
//! assert_eq!(start.elapsed(), Duration::from_secs(8));
//! assert_eq!(
//!     error.to_string(),
//!     "gave up after 3 attempts, as the next needs 4s with 2s left: connection refused",
//! );
//! # }
//! ```

mod as_error;
mod attempts;
mod error;
mod failed;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

pub use ::backon;
use ::backon::BackoffBuilder;

pub use as_error::AsError;
use attempts::Attempts;
pub use error::{RetryError, Stopped};
pub use failed::FailedAttempt;

use crate::operation::Operation;

impl Operation {
    /// Calls `attempt` until it gives a value, with a back-off in between: any of backon's, or any iterator of lengths of time.
    /// Nothing happens until it is [run](Retry::run).
    ///
    /// Each attempt is an operation of its own inside this one, whose handle `attempt` is given: so it is seen by subscribers of
    /// `tracing`, with its [number](Operation::attempt), and what it has spawned has ended before the next begins.
    ///
    /// An attempt may borrow what is around the closure. What the closure owns or changes, it hands to each as a clone or a value:
    /// `|attempt| { let client = client.clone(); async move { … } }`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::Cancelable;
    /// use cancelable::retry::{RetryError, backon::ExponentialBuilder};
    /// use std::io;
    ///
    /// let outcome: Result<_, RetryError<io::Error>> = Cancelable::new()
    ///     .try_run(async |op| {
    ///         let fetch = async |attempt: cancelable::Operation| match attempt.attempt() {
    ///             1 | 2 => Err(io::Error::other("not yet")),
    ///             n => Ok(n),
    ///         };
    ///         op.retry(ExponentialBuilder::default(), fetch).run().await
    ///     })
    ///     .await;
    /// assert_eq!(outcome.unwrap(), 3);
    /// # }
    /// ```
    pub fn retry<B, F, Fut, T, E>(&self, backoff: B, attempt: F) -> Retry<B, F, E>
    where
        B: BackoffBuilder,
        F: FnMut(Self) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let terms = Terms {
            operation: self.clone(),
            timeout: None,
            needs: Duration::ZERO,
        };
        Retry {
            terms,
            backoff,
            attempt,
            when: |_| true,
            adjust: |_, delay| delay,
            notify: |_, _| {},
            error: PhantomData,
        }
    }
}

/// Attempts at something, made by [`Operation::retry`]; the module [`retry`](self) says when there is another.
#[must_use = "nothing happens until it is run"]
pub struct Retry<
    B,
    F,
    E,
    W = fn(&E) -> bool,
    A = fn(&FailedAttempt<E>, Option<Duration>) -> Option<Duration>,
    N = fn(&FailedAttempt<E>, Duration),
> {
    terms: Terms,
    backoff: B,
    attempt: F,
    when: W,
    adjust: A,
    notify: N,
    error: PhantomData<fn() -> E>,
}

/// Of whom the attempts are, and on what terms.
struct Terms {
    operation: Operation,
    /// How long one may take.
    timeout: Option<Duration>,
    /// How long one takes at least.
    needs: Duration,
}

impl<B, F, E, W, A, N> Retry<B, F, E, W, A, N> {
    /// Gives each attempt so long, on the runtime's clock; then it is dropped, and that is one that failed and is retried.
    /// [`when`](Self::when) is not asked.
    ///
    /// An attempt without a timeout of its own has the [grace](crate::Cancelable::grace) of its operation when that is asked to
    /// stop. One with a timeout has none, so that the timeout is what it says.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.terms.timeout = Some(timeout);
        self
    }

    /// Says that an attempt is of no use in less time than this: none is begun with no more left. Zero unless said.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::Cancelable;
    /// use cancelable::retry::{RetryError, backon::ConstantBuilder};
    /// use std::time::Duration;
    ///
    /// let outcome: Result<(), RetryError<std::io::Error>> = Cancelable::new()
    ///     .timeout(Duration::from_secs(1))
    ///     .try_run(async |op| {
    ///         op.retry(ConstantBuilder::default(), async |_| unreachable!("it is not worth it"))
    ///             .attempt_needs(Duration::from_secs(2))
    ///             .run()
    ///             .await
    ///     })
    ///     .await;
    /// assert_eq!(
    ///     outcome.unwrap_err().to_string(),
    ///     "made no attempt, as one needs 2s with 1s left",
    /// );
    /// # }
    /// ```
    pub fn attempt_needs(mut self, needs: Duration) -> Self {
        self.terms.needs = needs;
        self
    }

    /// Retries only errors of which `is_passing` says that another attempt may do better. It is never asked of a cancel.
    pub fn when<W2: FnMut(&E) -> bool>(self, is_passing: W2) -> Retry<B, F, E, W2, A, N> {
        Retry {
            terms: self.terms,
            backoff: self.backoff,
            attempt: self.attempt,
            when: is_passing,
            adjust: self.adjust,
            notify: self.notify,
            error: PhantomData,
        }
    }

    /// Has `adjust` say how long to wait before the next attempt, such as what a server's `Retry-After` asks for, given what
    /// the back-off says. `None`, from either, is no other attempt.
    pub fn adjust<A2>(self, adjust: A2) -> Retry<B, F, E, W, A2, N>
    where
        A2: FnMut(&FailedAttempt<E>, Option<Duration>) -> Option<Duration>,
    {
        Retry {
            terms: self.terms,
            backoff: self.backoff,
            attempt: self.attempt,
            when: self.when,
            adjust,
            notify: self.notify,
            error: PhantomData,
        }
    }

    /// Has `notify` called before each back-off, with the attempt that failed and how long it is until the next.
    pub fn notify<N2>(self, notify: N2) -> Retry<B, F, E, W, A, N2>
    where
        N2: FnMut(&FailedAttempt<E>, Duration),
    {
        Retry {
            terms: self.terms,
            backoff: self.backoff,
            attempt: self.attempt,
            when: self.when,
            adjust: self.adjust,
            notify,
            error: PhantomData,
        }
    }
}

impl<B, F, E, W, A, N> Retry<B, F, E, W, A, N>
where
    B: BackoffBuilder,
    W: FnMut(&E) -> bool,
    A: FnMut(&FailedAttempt<E>, Option<Duration>) -> Option<Duration>,
    N: FnMut(&FailedAttempt<E>, Duration),
{
    /// Makes the attempts. Each that failed and is retried is a report of [progress](Operation::on_progress) of the operation, with its
    /// number, its error and the back-off in seconds as metadata.
    ///
    /// # Errors
    ///
    /// What failed, and why there was no other attempt: see the module [`retry`](self).
    ///
    /// # Panics
    ///
    /// If an attempt or a function that it was given panics, or where it has to wait outside of a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// A cancel of the operation ends it at the await that an attempt has reached, or in the back-off at once. It then has the
    /// body's last word: its error, with the attempts that failed, is what the body goes on with. Where the operation's own
    /// time is up there is no last word, as everywhere. Dropping the future drops the attempt, with reason
    /// [`Dropped`](crate::Reason::Dropped).
    pub async fn run<Fut, T, K: ?Sized>(self) -> Result<T, RetryError<E>>
    where
        F: FnMut(Operation) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: AsError<K>,
    {
        let built = Retry {
            terms: self.terms,
            backoff: self.backoff.build(),
            attempt: self.attempt,
            when: self.when,
            adjust: self.adjust,
            notify: self.notify,
            error: PhantomData,
        };
        Attempts::new(built).run().await
    }
}

impl<B, F, E, W, A, N> fmt::Debug for Retry<B, F, E, W, A, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("operation", &self.terms.operation)
            .field("attempt_timeout", &self.terms.timeout)
            .field("attempt_needs", &self.terms.needs)
            .finish_non_exhaustive()
    }
}
