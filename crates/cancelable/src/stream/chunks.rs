//! [`Chunks`], items by the handful.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::Cancellation;
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::{Kept, OperationStream};

pin_project! {
    /// The items of an operation's stream in vectors; made by [`OperationStream::chunks`].
    #[must_use = "streams do nothing unless they are polled"]
    pub struct Chunks<S: Stream> {
        #[pin]
        items: OperationStream<S>,
        size: usize,
        chunk: Vec<S::Item>,
        // Why it was cut off, while a chunk that had begun is delivered first.
        why: Option<Cancellation>,
    }
}

impl<S: Stream> Chunks<S> {
    #[track_caller]
    pub(super) fn new(items: OperationStream<S>, size: usize) -> Self {
        assert!(size > 0, "the size of a chunk is zero: give at least 1");
        Self {
            items,
            size,
            chunk: Vec::new(),
            why: None,
        }
    }

    /// How many items have been delivered, or are in the chunk that has begun.
    pub fn delivered(&self) -> u64 {
        self.items.delivered()
    }

    /// Whether the source came to its end, rather than having been cut off.
    pub fn is_completed(&self) -> bool {
        self.items.is_completed()
    }

    /// See [`OperationStream::kept`].
    pub fn kept(&self) -> Kept<S::Item> {
        self.items.kept()
    }
}

impl<S: Stream> Stream for Chunks<S> {
    type Item = Result<Vec<S::Item>, Cancellation>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        if let Some(why) = this.why.take() {
            return Poll::Ready(Some(Err(why)));
        }
        loop {
            match this.items.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(item))) => {
                    if this.chunk.is_empty() {
                        /// A size may be meant as "all"; more is allocated only as it is used.
                        const AT_FIRST: usize = 1024;
                        this.chunk.reserve((*this.size).min(AT_FIRST));
                    }
                    this.chunk.push(item);
                    if this.chunk.len() == *this.size {
                        return Poll::Ready(Some(Ok(std::mem::take(this.chunk))));
                    }
                }
                Poll::Ready(Some(Err(why))) if this.chunk.is_empty() => {
                    return Poll::Ready(Some(Err(why)));
                }
                Poll::Ready(Some(Err(why))) => {
                    *this.why = Some(why);
                    return Poll::Ready(Some(Ok(std::mem::take(this.chunk))));
                }
                Poll::Ready(None) if this.chunk.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) => {
                    return Poll::Ready(Some(Ok(std::mem::take(this.chunk))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<S: Stream> FusedStream for Chunks<S> {
    fn is_terminated(&self) -> bool {
        self.items.is_terminated() && self.chunk.is_empty() && self.why.is_none()
    }
}

impl<S: Stream> fmt::Debug for Chunks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("items", &self.items)
            .field("size", &self.size)
            .field("begun", &self.chunk.len())
            .finish_non_exhaustive()
    }
}
