//! The end of a WebSocket: a close frame that says why, and the client's answer to it.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, close_code};
use cancelable::{Cancellation, Operation, Reason};
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;

use super::shared::Shared;

/// Closes the connection, once the body of `operation` is gone.
pub(super) async fn close(shared: &Shared, operation: &Operation) {
    // A client that takes longer than that has nothing more to say.
    let _ = timeout(LIMIT, shake_hands(shared, operation)).await;
}

async fn shake_hands(shared: &Shared, operation: &Operation) {
    let mut stream = shared.stream.lock().await;
    if shared.gone().is_none() {
        let mut sink = shared.sink.lock().await;
        // A client that has gone just now needs none.
        let _ = if shared.is_closed() {
            // The program may have given up on its own close frame before that had gone out.
            sink.flush().await
        } else {
            let frame = frame(operation.cancellation().as_ref());
            sink.send(Message::Close(Some(frame))).await
        };
    }
    // Until the client has answered: what is closed with something unread takes with it what was just sent.
    while let Some(Ok(_)) = stream.next().await {}
}

/// What a client is told.
fn frame(why: Option<&Cancellation>) -> CloseFrame {
    let Some(why) = why.map(Cancellation::original) else {
        return CloseFrame {
            code: close_code::NORMAL,
            reason: Utf8Bytes::default(),
        };
    };
    let (code, reason) = match why.reason() {
        Reason::Shutdown | Reason::Signal => (close_code::AWAY, why.message()),
        Reason::Timeout => (close_code::ERROR, why.message()),
        // What went wrong inside is nobody's business.
        Reason::Error | Reason::Dropped => (close_code::ERROR, "internal error".into()),
        _ => (close_code::POLICY, why.message()),
    };
    let end = reason.floor_char_boundary(LONGEST_REASON);
    CloseFrame {
        code,
        reason: reason[..end].into(),
    }
}

/// How long a client has to take the close frame, and to answer it.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The protocol has no more room for it.
const LONGEST_REASON: usize = 123;
