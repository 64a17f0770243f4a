//! Running a future until it is done or the token is cancelled.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::Cancellation;
use crate::sync::Arc;

use super::CancellationToken;
use super::node::Node;
use super::wait::Wait;

pin_project! {
    /// The future of [`CancellationToken::run_until_cancelled`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct RunUntilCancelled<'a, F> {
        token: &'a CancellationToken,
        wait: Wait,
        #[pin]
        future: F,
    }

    impl<F> PinnedDrop for RunUntilCancelled<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(&this.token.node);
        }
    }
}

pin_project! {
    /// The future of [`CancellationToken::run_until_cancelled_owned`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct RunUntilCancelledOwned<F> {
        token: CancellationToken,
        wait: Wait,
        #[pin]
        future: F,
    }

    impl<F> PinnedDrop for RunUntilCancelledOwned<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(&this.token.node);
        }
    }
}

impl<'a, F: Future> RunUntilCancelled<'a, F> {
    #[inline]
    pub(super) fn new(token: &'a CancellationToken, future: F) -> Self {
        Self {
            token,
            wait: Wait::default(),
            future,
        }
    }
}

impl<F: Future> RunUntilCancelledOwned<F> {
    pub(super) fn new(token: CancellationToken, future: F) -> Self {
        Self {
            token,
            wait: Wait::default(),
            future,
        }
    }
}

impl<F: Future> Future for RunUntilCancelled<'_, F> {
    type Output = Result<F::Output, Cancellation>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll(this.wait, &this.token.node, this.future, cx)
    }
}

impl<F: Future> Future for RunUntilCancelledOwned<F> {
    type Output = Result<F::Output, Cancellation>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll(this.wait, &this.token.node, this.future, cx)
    }
}

/// Polls the future of either kind, and then asks.
#[inline]
fn poll<F: Future>(
    wait: &mut Wait,
    node: &Arc<Node>,
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Cancellation>> {
    // Cancelled before the start, the future is never polled; after that it comes first, so that what is done is not
    // lost to a cancel in the same instant. One that has started, and is polled again, has been pending.
    if !wait.has_registered() && node.is_cancelled() {
        return wait.poll(node, cx).map(Err);
    }
    match future.poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => wait.poll(node, cx).map(Err),
    }
}
