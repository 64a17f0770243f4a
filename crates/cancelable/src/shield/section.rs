//! What both kinds of shield do: hold off whoever encloses the section, and let them have their turn after it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::operation::{Held, Operation, current};

pin_project! {
    pub(super) struct Section<F, T = <F as Future>::Output> {
        // `None` once it has ended.
        #[pin]
        future: Option<F>,
        operation: Operation,
        // From the first poll to the end.
        held: Option<Held>,
        // What it ended with, while it is pending once more.
        value: Option<T>,
    }
}

impl<F, T> Section<F, T> {
    pub(super) fn new(future: F, operation: &Operation) -> Self {
        Self {
            future: Some(future),
            operation: operation.clone(),
            held: None,
            value: None,
        }
    }

    /// The same section, to end with another value.
    pub(super) fn ending_with<U>(self) -> Section<F, U> {
        Section {
            future: self.future,
            operation: self.operation,
            held: self.held,
            value: None,
        }
    }

    pub(super) fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Polls the section as `poll` says, shielded until it is ready.
    pub(super) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        until: Option<Instant>,
        poll: impl FnOnce(Pin<&mut F>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut this = self.project();
        if let Some(value) = this.value.take() {
            return Poll::Ready(value);
        }
        let section = this.future.as_mut().as_pin_mut();
        let section = section.expect("a shield is not polled after its end");
        this.held.get_or_insert_with(Held::here);
        let Poll::Ready(value) = current::shielding(until, || poll(section, cx)) else {
            return Poll::Pending;
        };
        this.future.set(None);
        let held = this.held.take().expect("held since its first poll");
        if held.release() {
            *this.value = Some(value);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(value)
    }
}

impl<F, T> fmt::Debug for Section<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section")
            .field("operation", &self.operation)
            .field("is_open", &self.held.is_some())
            .field("has_ended", &self.future.is_none())
            .finish_non_exhaustive()
    }
}
