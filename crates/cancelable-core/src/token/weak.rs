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
        // Counted, since a token that can come back must not be taken out of its line of ancestors meanwhile.
        token.node.inner.lock().more().weak_handles += 1;
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
        match self.upgrade() {
            Some(token) => Self::new(&token),
            None => Self {
                node: Weak::clone(&self.node),
            },
        }
    }
}

impl Drop for WeakCancellationToken {
    fn drop(&mut self) {
        // Of a token that is gone nobody counts. The handle's own drop sees whether the token may now leave its line.
        if let Some(token) = self.upgrade() {
            token.node.inner.lock().more().weak_handles -= 1;
        }
    }
}

impl fmt::Debug for WeakCancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakCancellationToken")
    }
}
