//! A handle that does not keep its token alive.

use std::fmt;

use crate::Cancellation;
use crate::sync::{Arc, Weak};

use super::node::Node;
use super::{CancellationToken, mark};

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

    /// [`CancellationToken::cancel_with`] for a caller that may hold locks, such as a waker: `true` if this call was the one
    /// that cancelled the token, `false` also where that is gone.
    ///
    /// The wakers are woken here. The callbacks run on a thread beside, where everything is dropped that could turn out to
    /// be the last handle.
    ///
    /// ```
    /// # use cancelable_core::CancellationToken;
    /// # use std::sync::{Arc, Mutex};
    /// let token = CancellationToken::new();
    /// let lock = Arc::new(Mutex::new(()));
    /// token.on_cancel({
    ///     let lock = lock.clone();
    ///     move |_| drop(lock.lock())
    /// }).detach();
    ///
    /// let held = lock.lock();
    /// assert!(token.downgrade().cancel_aside("from under a lock that the callback needs"));
    /// assert!(token.is_cancelled());
    /// ```
    pub fn cancel_aside(self, why: impl Into<Cancellation>) -> bool {
        let Some(token) = self.upgrade() else {
            return false;
        };
        let told = mark::mark(&token.node, &why.into());
        let is_first = told.is_some();
        told.unwrap_or_default().tell_aside((token, self));
        is_first
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
