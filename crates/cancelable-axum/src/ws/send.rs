//! [`Sender`], the half of a WebSocket that messages go to.

use std::fmt;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message};
use cancelable::{Cancellation, Operation, Reason};
use futures_util::SinkExt;

use super::shared::{Gone, Shared};

/// The half of a [`Socket`](super::Socket) that messages go to.
pub struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) operation: Operation,
}

impl Sender {
    /// Sends a message, and waits until it has gone out to the system.
    ///
    /// # Errors
    ///
    /// Why it was not sent, or not to its end: the operation was asked to stop, or the client has left. A policy by which the
    /// operation goes on without the client has the same error, and then the operation is not cancelled.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the message may have been sent, and if so goes out whole.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), Cancellation> {
        self.operation.check()?;
        let operation = self.operation.clone();
        let sent = self.send_though_cancelled(message);
        // A future that is ready wins, as a body does.
        match operation.token().run_until_cancelled(sent).await {
            Ok(sent) => sent,
            Err(why) => Err(operation.cancellation().unwrap_or(why)),
        }
    }

    /// The same where the operation was asked to stop: a last word, in its grace.
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
        if let Some(gone) = self.shared.gone() {
            return Err(gone.why);
        }
        let message = message.into();
        let mut sink = self.shared.sink.lock().await;
        if self.shared.is_closed() {
            let why = Cancellation::new(Reason::Disconnected);
            return Err(why.with_message("nothing is sent after the socket was closed"));
        }
        let is_close = matches!(message, Message::Close(_));
        let sent = async {
            sink.feed(message).await?;
            // From here on it goes out, whoever sees to that; a client cannot have answered it yet.
            if is_close {
                self.shared.set_closed();
            }
            sink.flush().await
        };
        sent.await.map_err(|error| {
            let gone = Gone::because_of(&error);
            let why = gone.why.clone();
            self.shared.client_left(&self.operation, gone);
            self.shared.gone().map_or(why, |gone| gone.why)
        })
    }

    /// Closes the connection: nothing is sent after this. What the client still sends can be received.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn close(
        &mut self,
        frame: impl Into<Option<CloseFrame>>,
    ) -> Result<(), Cancellation> {
        self.send(Message::Close(frame.into())).await
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
