//! [`Socket`], a WebSocket that is over with its operation.

use axum::extract::ws::{CloseFrame, Message};
use cancelable::{Cancellation, Operation};
use http::HeaderValue;

use super::{Receiver, Sender};

/// A WebSocket that is over with its operation: what an [`OperationUpgrade`](super::OperationUpgrade) gives to its callback.
#[derive(Debug)]
pub struct Socket {
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) protocol: Option<HeaderValue>,
}

impl Socket {
    /// The operation that it belongs to.
    pub fn operation(&self) -> &Operation {
        &self.sender.operation
    }

    /// See [`Receiver::recv`].
    ///
    /// # Errors
    ///
    /// Why there is no message.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has taken no message.
    pub async fn recv(&mut self) -> Result<Message, Cancellation> {
        self.receiver.recv().await
    }

    /// See [`Sender::send`].
    ///
    /// # Errors
    ///
    /// Why it was not sent, or not to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the message may have been sent, and if so goes out whole.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Cancellation> {
        self.sender.send(message).await
    }

    /// See [`Sender::send_though_cancelled`].
    ///
    /// # Errors
    ///
    /// That the client has left.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_though_cancelled(
        &mut self,
        message: impl Into<Message>,
    ) -> Result<(), Cancellation> {
        self.sender.send_though_cancelled(message).await
    }

    /// See [`Sender::close`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn close(
        &mut self,
        frame: impl Into<Option<CloseFrame>>,
    ) -> Result<(), Cancellation> {
        self.sender.close(frame).await
    }

    /// What the client said as it closed, if it has.
    pub fn close_frame(&self) -> Option<CloseFrame> {
        self.receiver.close_frame()
    }

    /// The protocol that both sides have agreed on.
    pub fn protocol(&self) -> Option<&HeaderValue> {
        self.protocol.as_ref()
    }

    /// Its halves, for code that sends and receives at once.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }
}
