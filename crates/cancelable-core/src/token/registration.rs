//! Callbacks: functions called on cancel, and the registration by which they are taken back.

use std::fmt;

use crate::sync::Arc;

use super::node::{Callback, Flagged, LISTENED, Node};
use super::tell::quietly;

/// A callback that [`CancellationToken::on_cancel`](crate::CancellationToken::on_cancel) registered.
///
/// Dropping it takes the callback back, without waiting for one that is running. It keeps its token alive.
#[must_use = "a registration that is dropped takes its callback back; `detach` leaves it there"]
pub struct Registration {
    /// `None` once there is nothing to take back.
    registered: Option<(Arc<Node>, u64)>,
}

impl Registration {
    /// Registers `callback`, or calls it at once if the token is cancelled.
    pub(super) fn new(node: &Arc<Node>, callback: Callback) -> Self {
        let mut inner = node.inner.lock();
        if node.flag(LISTENED) == Flagged::TooLate {
            drop(inner);
            let why = Node::cancellation(node).expect("flagged too late: cancelled");
            quietly(|| callback(&why));
            return Self { registered: None };
        }
        let more = inner.more();
        let number = more.next_callback;
        more.next_callback += 1;
        more.callbacks.insert(number, callback);
        Self {
            registered: Some((Arc::clone(node), number)),
        }
    }

    /// Leaves the callback with its token: it is called when that is cancelled, and dropped uncalled when that is dropped.
    pub fn detach(mut self) {
        self.registered = None;
    }

    /// Takes the callback back, and says whether that was in time: after `true` it was not called and never will be; after
    /// `false` it was called, or the cancel that calls it has begun.
    pub fn deregister(mut self) -> bool {
        self.take_back()
    }

    fn take_back(&mut self) -> bool {
        let Some((node, number)) = self.registered.take() else {
            return false;
        };
        let mut inner = node.inner.lock();
        let callback = inner.more().callbacks.remove(&number);
        drop(inner);
        // What it captured is the user's, and dropped outside the lock.
        callback.is_some()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_cancelled = self
            .registered
            .as_ref()
            .map(|(node, _)| node.is_cancelled());
        f.debug_struct("Registration")
            .field("is_pending", &(is_cancelled == Some(false)))
            .finish()
    }
}
