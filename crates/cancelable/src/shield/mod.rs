//! Shields: sections that run to their end though their operation is cancelled meanwhile (O5).
//!
//! A section is polled in place. While it is open, nobody who encloses it on this thread's stack drops it: each driver that
//! would is told to wait. Once it has ended and somebody waits, the shield is pending once more, so that the cancel is
//! delivered right there; where nobody takes that opportunity, it is ready with its value at the next poll.

mod limited;
mod section;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use cancelable_core::Cancellation;
use pin_project_lite::pin_project;

pub use limited::LimitedShield;
use section::Section;

use crate::operation::Operation;
use crate::task::{self, TaskHandle};

impl Operation {
    /// Runs `section` to its end though this operation, or any that encloses it, is cancelled meanwhile. The cancel is
    /// delivered right after it.
    ///
    /// Shields nest, and may be given a bound with [`limit`](Shield::limit). Inside, [`remaining`](Self::remaining) is the
    /// shield's own, [`checkpoint`](crate::checkpoint) goes on, and operations and streams that are begun there are not ended by
    /// what ends this one; [`is_cancelled`](Self::is_cancelled) and [`check`](Self::check) say that it was asked, to whoever
    /// wants to be quick about it. What the body polls beside the shield, in a `join!`, goes on as well until it has ended. A
    /// section that never ends keeps its operation from ending: see [`limit`](Shield::limit).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::{Cancelable, Reason};
    /// use std::time::Duration;
    /// use tokio::time::{Instant, sleep};
    ///
    /// let start = Instant::now();
    /// let outcome = Cancelable::new()
    ///     .timeout(Duration::from_secs(1))
    ///     .run(async |op| {
    ///         op.shield(sleep(Duration::from_secs(5))).await;
    ///         unreachable!("the time was up");
    ///     })
    ///     .await;
    /// assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    /// assert_eq!(start.elapsed(), Duration::from_secs(5));
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future of the run, or the shield itself, drops the section: see
    /// [`shield_detached`](Self::shield_detached) for one that survives even that.
    pub fn shield<F: Future>(&self, section: F) -> Shield<F> {
        Shield {
            section: Section::new(section, self),
        }
    }

    /// [`shield`](Self::shield) for a section that is not dropped even where the future of the run is, or the shield itself: it
    /// runs as a task of its own, which the operation awaits before it ends.
    ///
    /// # Errors
    ///
    /// Why there is no value: the section panicked, which ends the operation Failed; the operation is over; or the runtime is
    /// shutting down.
    ///
    /// # Panics
    ///
    /// As it is first polled: outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// A section that has begun, with the first poll, is never dropped.
    pub fn shield_detached<F>(
        &self,
        section: F,
    ) -> impl Future<Output = Result<F::Output, Cancellation>> + Send + use<F>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let operation = self.clone();
        async move {
            let spawned: TaskHandle<F::Output> = task::spawn_shielded(&operation, section);
            operation.shield(spawned).await
        }
    }
}

pin_project! {
    /// A section that runs to its end though its operation is cancelled meanwhile; made by [`Operation::shield`].
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Shield<F: Future> {
        #[pin]
        section: Section<F>,
    }
}

impl<F: Future> Shield<F> {
    /// Gives the section so long from its first poll; then it is dropped, which is logged, and its place is taken by an error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
    /// use cancelable::{Cancelable, Reason};
    /// use std::future::pending;
    /// use std::time::Duration;
    ///
    /// let outcome = Cancelable::new()
    ///     .run(async |op| op.shield(pending::<()>()).limit(Duration::from_secs(5)).await)
    ///     .await;
    /// assert_eq!(outcome.unwrap().unwrap_err().reason(), Reason::Timeout);
    /// # }
    /// ```
    pub fn limit(self, limit: Duration) -> LimitedShield<F> {
        LimitedShield::new(self.section, limit)
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project()
            .section
            .poll(cx, None, |section, cx| section.poll(cx))
    }
}

impl<F: Future> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shield").field(&self.section).finish()
    }
}
