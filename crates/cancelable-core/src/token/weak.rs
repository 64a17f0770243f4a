//! A handle that does not keep its token alive.

use std::fmt;

use crate::sync::{Arc, Weak};

use super::CancellationToken;
use super::node::Node;

/// A handle that does not keep its token alive, for what hangs on a token and must not be the reason that it stays.
///
/// Made by [`CancellationToken::downgrade`].
pub struct WeakCancellationToken {
    node: Weak<Node>,
}

impl WeakCancellationToken {
    pub(super) fn new(token: &CancellationToken) -> Self {
        count(token, 1);
        Self {
            node: Arc::downgrade(&token.node),
        }
    }

    /// The token, if anything still holds it: a handle, a registration, or a child.
    pub fn upgrade(&self) -> Option<CancellationToken> {
        self.node.upgrade().map(|node| CancellationToken { node })
    }
}

impl Clone for WeakCancellationToken {
    fn clone(&self) -> Self {
        if let Some(token) = self.upgrade() {
            count(&token, 1);
        }
        Self {
            node: self.node.clone(),
        }
    }
}

impl Drop for WeakCancellationToken {
    fn drop(&mut self) {
        if let Some(token) = self.upgrade() {
            count(&token, -1);
        }
    }
}

/// Counts the weak handles of a token: while there is one, the token can come back, and so is not taken out of its line of
/// ancestors. Of a token that is gone they need no counting.
fn count(token: &CancellationToken, change: isize) {
    let mut inner = token.node.inner.lock();
    let handles = &mut inner.more().weak_handles;
    *handles = handles
        .checked_add_signed(change)
        .expect("a handle is counted as long as it is there");
}

impl fmt::Debug for WeakCancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakCancellationToken")
    }
}
