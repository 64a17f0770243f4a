//! Running a [`Cancelable`]: as a future, and on a plain thread.

mod blocking;
mod drive;
mod outcome;
mod settle;
mod start;
mod verdict;

use std::fmt::Display;

use cancelable_core::Cancellation;

use crate::builder::Cancelable;
use crate::operation::Operation;

pub use blocking::Entered;
use drive::Drive;
pub(crate) use settle::stop_for;
use verdict::{AnyValue, OkOrError};

impl Cancelable {
    /// Runs `body` until it is done or the operation is cancelled, whichever is first.
    ///
    /// Nothing happens before the first poll: that is the start, from which limits count. An operation that is run inside
    /// another has that one as its parent, unless it is [`detached`](Self::detached). If it is cancelled already, `body` is
    /// never called. The future is `Send` exactly when `body` and its future are.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::{Cancelable, Reason};
    /// use std::time::Duration;
    /// use tokio::time::sleep;
    ///
    /// let limited = |limit| Cancelable::new().timeout(Duration::from_secs(limit));
    /// let nap = async |_| sleep(Duration::from_secs(5)).await;
    /// assert!(limited(10).run(nap).await.is_ok());
    ///
    /// let why = limited(1).run(nap).await.unwrap_err();
    /// assert_eq!(why.reason(), Reason::Timeout);
    /// assert_eq!(why.to_string(), "timed out after 1s");
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Why it was cancelled: what fired first. A body that finishes with a value in that same instant has finished, and the
    /// value is returned; the [context](Operation::context) has both on record.
    ///
    /// # Panics
    ///
    /// If `body` panics: the operation has Failed, and the panic goes on. If it has a time limit or a condition and has to
    /// wait outside of a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// A cancel drops the body at the await that it has reached, after its token and all below it are cancelled. Dropping the
    /// future that is returned does the same, with reason [`Dropped`](crate::Reason::Dropped).
    #[inline]
    pub fn run<F, Fut>(self, body: F) -> impl Future<Output = Result<Fut::Output, Cancellation>>
    where
        F: FnOnce(Operation) -> Fut,
        Fut: Future,
    {
        Drive::<F, Fut, AnyValue>::new(self, body)
    }

    /// [`run`](Self::run) for a body that may fail: its error and the cancellation become one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::{Cancelable, Cancellation};
    /// use std::time::Duration;
    ///
    /// let outcome: Result<u16, Box<dyn std::error::Error>> = Cancelable::new()
    ///     .timeout(Duration::from_secs(1))
    ///     .try_run(async |_| Ok("not a number".parse()?))
    ///     .await;
    /// assert!(!outcome.unwrap_err().is::<Cancellation>());
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The body's own, or the cancellation converted. A body that returns an error after it was asked to stop ends Cancelled,
    /// before that Failed.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    #[inline]
    pub fn try_run<F, Fut, T, E>(self, body: F) -> impl Future<Output = Result<T, E>>
    where
        F: FnOnce(Operation) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<Cancellation> + Display,
    {
        Drive::<F, Fut, OkOrError>::new(self, body)
    }
}
