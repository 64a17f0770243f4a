//! [`TokenSource`], a token as a source.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::{Cancellation, CancellationToken, CancelledOwned};
use tokio::time::Instant;

use super::Source;

/// A source that fires when `token` is cancelled, with its reason and message.
///
/// It keeps a handle to the token, so a deadline there stands. For a token that stands by itself
/// [`Cancelable::token`](crate::Cancelable::token) is the shorter way; this one nests.
pub fn token(token: &CancellationToken) -> TokenSource {
    TokenSource {
        token: token.clone(),
        cancelled: token.clone().cancelled_owned(),
    }
}

/// A source that fires with a token; made by [`token`].
#[must_use = "a source does nothing unless an operation is given it"]
pub struct TokenSource {
    token: CancellationToken,
    cancelled: CancelledOwned,
}

impl Future for TokenSource {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        Pin::new(&mut self.cancelled).poll(cx)
    }
}

impl Source for TokenSource {
    fn begin(self: Pin<&mut Self>, _: Instant) -> Option<Cancellation> {
        self.token.cancellation()
    }

    /// The token's own. It runs on another clock, and crosses as time remaining.
    fn deadline(&self) -> Option<Instant> {
        if self.token.is_cancelled() {
            return None;
        }
        self.token
            .remaining()
            .and_then(|left| Instant::now().checked_add(left))
    }

    fn name(&self) -> String {
        "token".to_owned()
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").field(&self.token).finish()
    }
}
