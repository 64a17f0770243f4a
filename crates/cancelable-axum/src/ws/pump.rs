//! The one reader of a WebSocket: takes what the client sends, ahead of whoever receives it, and notices when the client leaves.

use std::future::poll_fn;

use axum::extract::ws::Message;
use cancelable::{Cancellation, Operation, Reason};
use futures_util::StreamExt;

use super::shared::{Gone, Shared};

/// Reads until the client has left, and has that do to the operation what the policy says.
///
/// # Cancel safety
///
/// Dropped, it has lost no message: what was read lies in the inbox.
pub(super) async fn pump(shared: &Shared, operation: &Operation) {
    let mut stream = shared.stream.lock().await;
    let gone = loop {
        poll_fn(|cx| shared.poll_room(cx)).await;
        match stream.next().await {
            Some(Ok(Message::Close(close))) => {
                let why = Cancellation::new(Reason::Disconnected);
                break Gone { why, close };
            }
            Some(Ok(message)) => shared.put(message),
            Some(Err(error)) => break Gone::because_of(&error),
            None => {
                let why = Cancellation::new(Reason::Disconnected);
                break Gone { why, close: None };
            }
        }
    };
    shared.client_left(operation, gone);
    // The answer to a close frame goes out as the stream is polled on.
    while let Some(Ok(_)) = stream.next().await {}
}
