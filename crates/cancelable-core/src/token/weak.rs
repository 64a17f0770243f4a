//! A handle that does not keep its token alive.

use std::fmt;

use crate::sync::{Arc, Weak};

use super::CancellationToken;
use super::node::Node;

/// A handle that does not keep its token alive, for what hangs on a token and must not be the reason that it stays.
///
/// Made by [`CancellationToken::downgrade`].
#[derive(Clone)]
pub struct WeakCancellationToken {
    node: Weak<Node>,
}

impl WeakCancellationToken {
    pub(super) fn new(token: &CancellationToken) -> Self {
        let node = &token.node;
        // A token that can come back from here must not be taken out of its line of ancestors meanwhile.
        node.inner.lock().more().has_weak_handles = true;
        Self {
            node: Arc::downgrade(node),
        }
    }

    /// The token, if anything still holds it: a handle, a registration, or a child.
    pub fn upgrade(&self) -> Option<CancellationToken> {
        self.node.upgrade().map(|node| CancellationToken { node })
    }
}

impl fmt::Debug for WeakCancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakCancellationToken")
    }
}
