//! [`LimitedShield`], a shield with a bound.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use cancelable_core::{Cancellation, Origin};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::Section;
use crate::alarm::Alarm;
use crate::operation::Operation;

pin_project! {
    /// A [`Shield`](super::Shield) whose section is dropped after a while; made by [`Shield::limit`](super::Shield::limit).
    ///
    /// It gives the section's value, or an error with reason [`Timeout`](cancelable_core::Reason::Timeout). A cancel that came
    /// meanwhile is delivered right after it either way.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct LimitedShield<F: Future> {
        #[pin]
        section: Section<F, Result<F::Output, Cancellation>>,
        limit: Duration,
        // From the first poll.
        bound: Option<Bound>,
    }
}

enum Bound {
    /// Too far away for the clock.
    Never,
    At(Instant, Alarm),
}

impl<F: Future> LimitedShield<F> {
    pub(super) fn new(section: Section<F>, limit: Duration) -> Self {
        Self {
            section: section.ending_with(),
            limit,
            bound: None,
        }
    }
}

impl<F: Future> Future for LimitedShield<F> {
    type Output = Result<F::Output, Cancellation>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let limit = *this.limit;
        let bound = this
            .bound
            .get_or_insert_with(|| match Instant::now().checked_add(limit) {
                Some(end) => Bound::At(end, Alarm::at(end)),
                None => Bound::Never,
            });
        let until = match bound {
            Bound::At(end, _) => Some(*end),
            Bound::Never => None,
        };
        let operation = this.section.operation().clone();
        this.section.poll(cx, until, |section, cx| {
            if let Poll::Ready(value) = section.poll(cx) {
                return Poll::Ready(Ok(value));
            }
            match bound {
                Bound::At(_, alarm) => alarm.poll(cx).map(|()| Err(too_long(&operation, limit))),
                Bound::Never => Poll::Pending,
            }
        })
    }
}

/// Says that a section is dropped: in the log too, since the body that the error is for may be dropped right after it.
fn too_long(operation: &Operation, limit: Duration) -> Cancellation {
    tracing::warn!(
        operation = operation.id(),
        ?limit,
        "a shielded section took longer than its bound, and was dropped"
    );
    let message = format!("a shielded section took longer than its bound of {limit:?}");
    Cancellation::from_origin(Origin::timeout(limit)).with_message(message)
}

impl<F: Future> fmt::Debug for LimitedShield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedShield")
            .field("section", &self.section)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
