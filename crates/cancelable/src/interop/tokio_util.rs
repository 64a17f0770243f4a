//! tokio-util's token, linked with ours, both ways.
//!
//! No task waits for the other token: a future of its that was polled once leaves a waker there, and that waker cancels
//! ours.
//!
//! # Under the other's locks
//!
//! A waker is called wherever the other library sees fit; tokio-util before 0.7.20 did it under the lock of the token's
//! parent. So it must neither run callbacks, which may use that parent, nor drop a handle of theirs, which takes that lock.
//! It holds nothing but a weak handle to ours, which it gives away to be used and dropped on a thread beside; the future,
//! which does hold a handle of theirs, lies with our token's callbacks.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use cancelable_core::{Cancellation, CancellationToken, Registration, WeakCancellationToken};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken as TheirToken;

/// Links between our tokens and those of tokio-util, which many crates have in their APIs.
///
/// Each function links one way; use both, and a cancel of either reaches the other. A link lasts as long as the
/// [`Registration`] that it returns: dropping that undoes it, [`detach`](Registration::detach) leaves it for as long as our
/// token lives.
///
/// ```
/// use cancelable::{CancellationToken, TokioUtilTokens};
///
/// let ours = CancellationToken::new();
/// let theirs = tokio_util::sync::CancellationToken::new();
/// let _there = ours.lead_tokio_util(&theirs);
/// let _back = ours.follow_tokio_util(&theirs);
///
/// theirs.cancel();
/// let why = ours.cancellation().unwrap();
/// assert_eq!(why.message(), "a token of tokio-util was cancelled");
/// ```
pub trait TokioUtilTokens {
    /// Has our token cancelled when `theirs` is; at once if it is already.
    ///
    /// When `theirs.cancel()` returns, ours is cancelled and its waiters are woken; its callbacks run on a thread beside.
    /// Their tokens have no reason, so ours is [`Manual`](crate::Reason::Manual).
    fn follow_tokio_util(&self, theirs: &TheirToken) -> Registration;

    /// Has `theirs` cancelled when our token is; at once if it is already.
    fn lead_tokio_util(&self, theirs: &TheirToken) -> Registration;
}

impl TokioUtilTokens for CancellationToken {
    fn follow_tokio_util(&self, theirs: &TheirToken) -> Registration {
        let mut cancelled = Box::pin(theirs.clone().cancelled_owned());
        let waker = Waker::from(Arc::new(Follow {
            ours: Mutex::new(Some(self.downgrade())),
        }));
        if let Poll::Ready(()) = Pin::new(&mut cancelled).poll(&mut Context::from_waker(&waker)) {
            self.cancel_with(theirs_was_cancelled());
        }
        // Not called for what it does, but for what it holds: the future, for as long as it matters.
        self.on_cancel(move |_| drop(cancelled))
    }

    fn lead_tokio_util(&self, theirs: &TheirToken) -> Registration {
        let theirs = theirs.clone();
        self.on_cancel(move |_| theirs.cancel())
    }
}

/// The waker that their token wakes, once, when it is cancelled.
struct Follow {
    /// `None` once it has been woken.
    ours: Mutex<Option<WeakCancellationToken>>,
}

impl Wake for Follow {
    fn wake(self: Arc<Self>) {
        let ours = self.ours.lock().take();
        if let Some(ours) = ours {
            ours.cancel_aside(theirs_was_cancelled());
        }
    }
}

fn theirs_was_cancelled() -> Cancellation {
    Cancellation::manual("a token of tokio-util was cancelled")
}
