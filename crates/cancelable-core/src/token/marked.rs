//! [`Marked`]: the two steps of a cancel, apart, for several tokens that are cancelled as one.

use std::fmt;

use crate::{Cancellation, CancellationToken};

use super::mark;
use super::tell::Told;

/// Tokens that are cancelled as one: each is marked, with all below it, before anybody is told of the first.
///
/// A cancel tells on its own thread, and a callback that blocks holds up what is cancelled after it. Here it finds all of them
/// cancelled, and the waiters of all have been woken before it is called.
///
/// ```
/// use cancelable_core::{CancellationToken, Marked, Reason};
///
/// let (one, two) = (CancellationToken::new(), CancellationToken::new());
/// let other = two.clone();
/// one.on_cancel(move |_| assert!(other.is_cancelled())).detach();
///
/// let mut marked = Marked::new();
/// assert!(marked.mark(&one, Reason::Shutdown));
/// assert!(marked.mark(&two, Reason::Shutdown));
/// assert!(!marked.mark(&two, "cancelled already"));
/// marked.tell();
/// ```
///
/// Dropping it tells as well.
#[derive(Default)]
#[must_use = "whoever listens to what was marked is told as this goes"]
pub struct Marked {
    told: Told,
}

impl Marked {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels `token` and its descendants, as [`cancel_with`](CancellationToken::cancel_with) does, but tells nobody yet;
    /// `true` if this call was the one that did.
    ///
    /// Nothing of the user's runs in here, so it may be called with a lock held.
    pub fn mark(&mut self, token: &CancellationToken, why: impl Into<Cancellation>) -> bool {
        match mark::mark(&token.node, &why.into()) {
            Some(told) => {
                self.told.append(told);
                true
            }
            None => false,
        }
    }

    /// Wakes all waiters, then calls all callbacks, on this thread, in the order in which their tokens were marked.
    pub fn tell(self) {
        drop(self);
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        std::mem::take(&mut self.told).tell();
    }
}

impl fmt::Debug for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marked").finish_non_exhaustive()
    }
}
