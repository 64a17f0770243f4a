//! [`Receiver`], the half of a WebSocket that messages come from.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use axum::extract::ws::{CloseFrame, Message};
use cancelable::{Cancellation, Operation, Reason};

use super::shared::Shared;

/// The half of a [`Socket`](super::Socket) that messages come from.
///
/// Without it what the client sends is read and thrown away, so that one that leaves is seen however much it had sent.
pub struct Receiver {
    pub(super) shared: Arc<Shared>,
    pub(super) operation: Operation,
}

impl Receiver {
    /// The next message, pings and pongs included; pings are answered without doing anything here, and of several that nobody has
    /// received, with no other message in between, the last is given.
    ///
    /// # Errors
    ///
    /// Why there is none: the operation was asked to stop, or the client has left. Where it was the client, what it had sent
    /// before is given first. A policy by which the operation goes on has the same error, with reason
    /// [`Disconnected`](Reason::Disconnected), and then the operation is not cancelled.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has taken no message.
    pub async fn recv(&mut self) -> Result<Message, Cancellation> {
        let operation = self.operation.clone();
        let mut cancelled = pin!(operation.cancelled());
        poll_fn(|cx| {
            let asked = operation.cancellation();
            let asked = asked.or_else(|| match cancelled.as_mut().poll(cx) {
                Poll::Ready(why) => Some(why),
                Poll::Pending => None,
            });
            let Some(why) = asked else {
                return self.shared.poll_take(cx);
            };
            // What a client had sent before it left was sent in good faith.
            if why.original().reason() == Reason::Disconnected
                && let Poll::Ready(Ok(message)) = self.shared.poll_take(cx)
            {
                return Poll::Ready(Ok(message));
            }
            Poll::Ready(Err(why))
        })
        .await
    }

    /// What the client said as it closed, if it has.
    pub fn close_frame(&self) -> Option<CloseFrame> {
        self.shared.gone()?.close
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.receive_no_more();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
