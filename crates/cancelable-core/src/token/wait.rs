//! Waiting for a cancel as a future (T9).
//!
//! A future that has registered remembers which waker the node holds, by its two addresses, and so costs one load and two
//! compares to poll again. Those addresses are that waker's for as long as it lives in the node. (The original, which the
//! node's was cloned from, may lie elsewhere and be gone by the next poll.)

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::Cancellation;
use crate::sync::{Arc, Ordering, address};

use super::CancellationToken;
use super::node::{CANCELLED, Flagged, LISTENED, Node};

/// The future of [`CancellationToken::cancelled`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct Cancelled<'a> {
    token: &'a CancellationToken,
    wait: Wait,
}

impl<'a> Cancelled<'a> {
    #[inline]
    pub(super) fn new(token: &'a CancellationToken) -> Self {
        Self {
            token,
            wait: Wait::default(),
        }
    }
}

impl Future for Cancelled<'_> {
    type Output = Cancellation;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        let this = self.get_mut();
        this.wait.poll(&this.token.node, cx)
    }
}

impl Drop for Cancelled<'_> {
    #[inline]
    fn drop(&mut self) {
        self.wait.leave(&self.token.node);
    }
}

/// The future of [`CancellationToken::cancelled_owned`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct CancelledOwned {
    token: CancellationToken,
    wait: Wait,
}

impl CancelledOwned {
    pub(super) fn new(token: CancellationToken) -> Self {
        Self {
            token,
            wait: Wait::default(),
        }
    }
}

impl Future for CancelledOwned {
    type Output = Cancellation;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        let this = self.get_mut();
        this.wait.poll(&this.token.node, cx)
    }
}

impl Drop for CancelledOwned {
    fn drop(&mut self) {
        self.wait.leave(&self.token.node);
    }
}

/// A place for the waker of a hand-written future at a token, for [`CancellationToken::poll_cancelled`].
///
/// [`Cancelled`] does the same and cleans up by itself; this is for a future that holds the token elsewhere, and must not
/// hold a second handle. Whoever drops it uncleared leaves a waker behind, for as long as the token is not cancelled. A slot
/// that outlives its token must have been cleared before that went: one token is told from another by where it lies, and the
/// next may lie in the same place, where the slot would take itself for registered and not be woken.
#[derive(Debug, Default)]
pub struct WakerSlot {
    wait: Wait,
    /// The token that it belongs to, by address, once it has been used.
    token: Option<NonZeroUsize>,
}

impl WakerSlot {
    /// An empty slot.
    pub const fn new() -> Self {
        Self {
            wait: Wait { registered: None },
            token: None,
        }
    }

    /// Takes the waker back from `token`; nothing happens where there is none.
    ///
    /// # Panics
    ///
    /// If it was used with another token.
    #[inline]
    pub fn clear(&mut self, token: &CancellationToken) {
        if self.token.is_some() {
            self.belongs_to(token);
            self.wait.leave(&token.node);
            self.token = None;
        }
    }

    #[inline]
    pub(super) fn poll(
        &mut self,
        token: &CancellationToken,
        cx: &mut Context<'_>,
    ) -> Poll<Cancellation> {
        self.belongs_to(token);
        self.wait.poll(&token.node, cx)
    }

    #[inline]
    fn belongs_to(&mut self, token: &CancellationToken) {
        let address = NonZeroUsize::new(address(&token.node));
        assert!(
            self.token.is_none() || self.token == address,
            "a waker slot belongs to the first token that it was polled with: clear it there before another"
        );
        self.token = address;
    }
}

/// What the node holds of ours, if anything.
#[derive(Debug, Default)]
pub(super) struct Wait {
    registered: Option<Registered>,
}

/// Which waker of ours the node holds, and where.
#[derive(Clone, Copy, Debug)]
struct Registered {
    waker: WakerAddress,
    slot: Slot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WakerAddress {
    data: usize,
    /// Never null, which makes "no waker" cost no room of its own.
    vtable: NonZeroUsize,
}

/// Where a waker stands in its node: 0 is the first waiter's place, any other one more than its key.
#[derive(Clone, Copy, Debug)]
struct Slot(u32);

impl Wait {
    #[inline]
    pub(super) fn poll(&mut self, node: &Arc<Node>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        if node.is_cancelled() {
            return Poll::Ready(why(node));
        }
        if let Some(registered) = self.registered
            && registered.waker == WakerAddress::of(cx.waker())
        {
            return Poll::Pending;
        }
        self.register(node, cx.waker())
    }

    /// Whether it has been pending.
    #[inline]
    pub(super) fn has_registered(&self) -> bool {
        self.registered.is_some()
    }

    /// Gives the node this waker, instead of the one that it may have from us.
    fn register(&mut self, node: &Arc<Node>, waker: &Waker) -> Poll<Cancellation> {
        // Cloned before and dropped after the lock is held, since both are user code.
        let new = waker.clone();
        // Of a clone that lies elsewhere only its own address will do. One in the same place keeps that place, and then the
        // original's it is, since a clone may well have another copy of the same vtable.
        let address = WakerAddress::of(if new.data() == waker.data() {
            waker
        } else {
            &new
        });
        let mut inner = node.inner.lock();
        if node.flag(LISTENED) == Flagged::TooLate {
            drop(inner);
            return Poll::Ready(why(node));
        }
        let (slot, old) = match self.registered {
            Some(Registered { slot, .. }) => {
                let old = match slot.key() {
                    None => inner.first_waiter.replace(new),
                    Some(key) => inner
                        .more()
                        .waiters
                        .get_mut(key)
                        .map(|waker| std::mem::replace(waker, new)),
                };
                (slot, old)
            }
            None if inner.first_waiter.is_none() => (Slot(0), inner.first_waiter.replace(new)),
            None => (Slot::at(inner.more().waiters.insert(new)), None),
        };
        drop(inner);
        self.registered = Some(Registered {
            waker: address,
            slot,
        });
        drop(old);
        Poll::Pending
    }

    /// Takes the waker back, if the node still has it.
    #[inline]
    pub(super) fn leave(&mut self, node: &Arc<Node>) {
        // Looked at before it is overwritten: the future of what is done at once is not written to.
        if let Some(Registered { slot, .. }) = self.registered {
            self.registered = None;
            take_back(node, slot);
        }
    }
}

fn take_back(node: &Node, slot: Slot) {
    // A canceller takes all the wakers that it finds. Relaxed: it is only not worth the lock then.
    if node.state.load(Ordering::Relaxed) & CANCELLED != 0 {
        return;
    }
    let mut inner = node.inner.lock();
    let waker = match slot.key() {
        None => inner.first_waiter.take(),
        Some(key) => inner.more().waiters.try_remove(key),
    };
    drop(inner);
    drop(waker);
}

impl WakerAddress {
    #[inline]
    fn of(waker: &Waker) -> Self {
        Self {
            data: waker.data().addr(),
            vtable: NonNull::from(waker.vtable()).addr(),
        }
    }
}

impl Slot {
    fn at(key: usize) -> Self {
        Self(u32::try_from(key + 1).expect("a token has fewer than 2^32 waiters at a time"))
    }

    fn key(self) -> Option<usize> {
        self.0.checked_sub(1).map(|key| key as usize)
    }
}

#[cold]
fn why(node: &Arc<Node>) -> Cancellation {
    Node::cancellation(node).expect("asked of a cancelled token")
}
