//! A token's node in the tree: one allocation that holds its state, its place, and who listens.
//!
//! # Life
//!
//! A node lives as long as something holds it strongly: handles, the registrations and owned futures that contain one, and
//! *its children*. So a child keeps its ancestors, and ancestors hold their children weakly, in a slab that the child's
//! last drop clears its entry from. A child that was born cancelled has no entry, since it has nothing to hear. Ancestors that
//! nothing but one child holds are taken out of the line (`splice`).
//!
//! # Invariants
//!
//! 1. **A cancelled node stays cancelled**, and has either a `why` of its own or a parent that is cancelled. Its place in
//!    the tree never changes again. So the walk up to the reason always ends at one.
//! 2. **A flag is set under the node's lock, by a read-modify-write of the same word that says cancelled.** So between a
//!    canceller and whoever adds a listener or a dependent, one sees the other: the canceller finds the flag, and takes the
//!    lock to collect what was added; or the adder finds the node cancelled. With two words, or a plain load in between,
//!    a wake-up can be lost.
//! 3. **The first to set `CANCELLED` owns the telling.** It alone takes the listeners out, under the lock.
//! 4. **`CANCELLED` is set on a node that has dependents only under the process-wide marking lock**, which is held until
//!    all of its subtree is marked. Whoever finds such a node cancelled and must know that the marking is over waits for
//!    that lock.
//! 5. **No user code runs under a lock**: wakers are cloned before, and dropped and woken after; callbacks likewise. A
//!    node's drop is user code too, for it drops them. So no pointer that may be the last is dropped under a lock, the
//!    marking lock included; but for a mere step, which has neither.
//!
//! # Lock order
//!
//! The marking lock before any node; a child before its parent; a node before the timer. Only `splice` holds several nodes,
//! and parents are a tree (links are no parents), so the order has no circle.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::RefUnwindSafe;
use std::task::Waker;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::Cancellation;
use crate::sync::{Arc, AtomicUsize, Mutex, OnLastDrop, Ordering, Weak, next_in_order};
use crate::timer;

use super::tree;

/// Whether the node is cancelled. Once set, for ever.
pub(super) const CANCELLED: usize = 1;
/// Whether the node ever had a waiter, a callback or a deadline. Sticky, see invariant 2.
pub(super) const LISTENED: usize = 2;
/// Whether the node ever had a child or another dependent. Sticky, see invariant 2.
pub(super) const BRANCHED: usize = 4;
/// Above the flags stands which cancel of the process it was, on a node with a reason of its own.
const ORDER_SHIFT: u32 = 3;

/// See the module's documentation. In this order in memory, so that state and lock share the pointer counts' cache line.
#[repr(C)]
#[derive(Default)]
pub(super) struct Node {
    /// | bits | meaning | set by | read by |
    /// |---|---|---|---|
    /// | `CANCELLED` | cancelled | the one canceller that wins | anybody, with acquire, which pairs with that release (T2) |
    /// | `LISTENED` | look for listeners | whoever adds the first | the canceller, as it sets `CANCELLED` |
    /// | `BRANCHED` | look for dependents | whoever adds the first | the canceller, before it sets `CANCELLED` and as it does |
    /// | the rest | of all cancels of the process, the how many-th; 0 before | with `CANCELLED` | whoever makes an all-of token |
    pub(super) state: AtomicUsize,
    pub(super) inner: Mutex<Inner>,
}

/// What the lock guards.
#[derive(Default)]
pub(super) struct Inner {
    /// The parent and our key among its dependents. `None` for a root.
    pub(super) place: Option<Place>,
    /// The first waiter, which most tokens never exceed.
    pub(super) first_waiter: Option<Waker>,
    /// Why, on the nodes that a cancel was called on; their descendants find it by walking up.
    pub(super) why: Option<Cancellation>,
    /// What most nodes never need.
    pub(super) more: Option<Box<More>>,
}

/// Where a node hangs.
pub(super) struct Place {
    pub(super) parent: Arc<Node>,
    /// Our key among the parent's dependents; [`NOT_A_KEY`] for what was born cancelled, which is none of them.
    pub(super) key: usize,
}

/// No slab has so many entries.
const NOT_A_KEY: usize = usize::MAX;

/// The parts of a node that come with their first need.
#[derive(Default)]
pub(super) struct More {
    pub(super) dependents: Slab<Dependent>,
    /// Waiters beside the first.
    pub(super) waiters: Slab<Waker>,
    /// Callbacks in the order of their registration, by a number that only grows.
    pub(super) callbacks: BTreeMap<u64, Callback>,
    pub(super) next_callback: u64,
    /// Tokens whose cancel reaches this one, by address and by whether it is a member of ours: an address is one token's
    /// for as long as a weak pointer to it is here.
    pub(super) links: BTreeMap<(usize, bool), Link>,
    /// How many links there may be before the dead ones are looked for.
    pub(super) links_sweep_at: usize,
    /// Of an all-of token: how many of its members have not fired.
    pub(super) members_left: usize,
    pub(super) deadline: Option<Deadline>,
    /// Weak handles, which could bring back a token that nobody holds.
    pub(super) weak_handles: usize,
}

/// Who is to be cancelled with a node.
pub(super) enum Dependent {
    /// A child, which sees reason `Parent`.
    Child(Weak<Node>),
    /// A token that was linked to this one, and sees this one's reason.
    Linked(Weak<Node>),
    /// An all-of token with this one among its members.
    AllOf(Weak<Node>),
}

/// The other end of a [`Dependent::Linked`] or [`Dependent::AllOf`].
pub(super) struct Link {
    pub(super) to: Weak<Node>,
    /// Our key among the dependents of `to`; `None` where that was cancelled already.
    pub(super) key: Option<usize>,
}

/// A deadline of the node's own. It outlasts the cancel, as a fact to be asked for.
pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) after: Duration,
    /// `None` once the node is cancelled, and where it had passed when it was set.
    pub(super) timer: Option<timer::Key>,
}

/// A function to call on cancel.
pub(super) type Callback = Box<dyn FnOnce(&Cancellation) + Send>;

impl Node {
    /// A node among its parent's dependents.
    pub(super) fn at(place: Place) -> Self {
        Self {
            state: AtomicUsize::new(0),
            inner: Mutex::new(Inner {
                place: Some(place),
                ..Inner::default()
            }),
        }
    }

    /// A node that was never anything but cancelled, below one that is. It is not among that one's dependents, and looks
    /// up to it for its deadline alone.
    pub(super) fn born_cancelled(parent: Arc<Self>, why: Cancellation) -> Self {
        Self {
            // Nobody else can see it yet. What its canceller wrote was acquired by whoever makes it, and reaches others as
            // the token itself does (T2).
            state: AtomicUsize::new(Self::cancelled_now()),
            inner: Mutex::new(Inner {
                place: Some(Place {
                    parent,
                    key: NOT_A_KEY,
                }),
                why: Some(why),
                ..Inner::default()
            }),
        }
    }

    /// Whether the node is cancelled: one load, no lock (T10).
    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        // Acquire pairs with the release in `mark`: what the canceller wrote before is visible after this says yes (T2).
        self.state.load(Ordering::Acquire) & CANCELLED != 0
    }

    /// Sets a sticky flag, and says whether the node was cancelled already; to be called with the node's lock held.
    pub(super) fn flag(&self, flag: usize) -> Flagged {
        // Acquire, since whoever learns here that the node is cancelled acts on it (T2). It is the second of two: they all
        // go on to ask why it was, which acquires as well. Where the flag stands already, a load is enough: a canceller that
        // is not visible to it has yet to take the lock that the caller holds.
        let seen = self.state.load(Ordering::Acquire);
        let before = if seen & flag == 0 {
            // One word for flag and `CANCELLED`: either the canceller's own read-modify-write sees this one, or this one
            // sees the canceller's (invariant 2). Acquire as above.
            self.state.fetch_or(flag, Ordering::Acquire)
        } else {
            seen
        };
        if before & CANCELLED == 0 {
            Flagged::InTime
        } else {
            Flagged::TooLate
        }
    }

    /// What to set in the state of a node that is cancelled with a reason of its own.
    pub(super) fn cancelled_now() -> usize {
        // The numbers begin anew after 2^61 cancels. Where a word has 32 bits that is after 2^29, and an all-of token that is
        // made of what was cancelled before and after may then name another than the last.
        (next_in_order() << ORDER_SHIFT) | CANCELLED
    }

    /// Why the node was cancelled, `None` if it was not.
    pub(super) fn cancellation(this: &Arc<Self>) -> Option<Cancellation> {
        Self::fired(this).map(|fired| fired.why)
    }

    /// Why the node was cancelled and which cancel that was, `None` if it was not.
    pub(super) fn fired(this: &Arc<Self>) -> Option<Fired> {
        if !this.is_cancelled() {
            return None;
        }
        let mut node = Arc::clone(this);
        let mut generations = 0;
        loop {
            let parent = {
                let inner = node.inner.lock();
                if let Some(why) = &inner.why {
                    return Some(Fired {
                        why: why.below(generations),
                        // Relaxed: it was set under the lock that is held here.
                        order: node.state.load(Ordering::Relaxed) >> ORDER_SHIFT,
                    });
                }
                let place = inner.place.as_ref();
                Arc::clone(
                    &place
                        .expect("cancelled without a reason of its own: by its parent")
                        .parent,
                )
            };
            node = parent;
            generations += 1;
        }
    }
}

/// A panic leaves it whole, since what could panic does not run under its lock (invariant 5).
impl RefUnwindSafe for Node {}

/// That a node was cancelled.
pub(super) struct Fired {
    pub(super) why: Cancellation,
    /// Greater than that of every cancel which happened before.
    pub(super) order: usize,
}

/// What [`Node::flag`] found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flagged {
    /// Not cancelled: whoever cancels will see the flag.
    InTime,
    /// Cancelled: nobody will look.
    TooLate,
}

impl Place {
    /// Whether it is that of a node which was born cancelled.
    pub(super) fn is_of_born_cancelled(&self) -> bool {
        self.key == NOT_A_KEY
    }
}

impl Inner {
    pub(super) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

impl More {
    /// Whether there is nothing that makes a node more than a step between parent and child. Links to what is gone are
    /// nothing, since they are never heard of again.
    pub(super) fn is_plain_step(&self) -> bool {
        self.dependents.len() == 1
            && self.waiters.is_empty()
            && self.callbacks.is_empty()
            && self.links.values().all(Link::is_dead)
            && self.members_left == 0
            && self.deadline.is_none()
            && self.weak_handles == 0
    }
}

impl Link {
    /// Whether the token that it leads to is gone, and so will not be cancelled any more.
    pub(super) fn is_dead(&self) -> bool {
        Weak::strong_count(&self.to) == 0
    }
}

impl OnLastDrop for Node {
    fn on_last_drop(&self) {
        // Taken out first, so that no lock is held, as in `drop` below.
        let mut inner = std::mem::take(&mut *self.inner.lock());
        tree::leave(&mut inner);
    }
}

#[cfg(not(cancelable_loom))]
impl Drop for Node {
    fn drop(&mut self) {
        tree::leave(self.inner.get_mut());
    }
}
