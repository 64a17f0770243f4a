//! The tree: how a child comes, goes, and how a line of ancestors that nobody holds is shortened.

use crate::sync::{Arc, Last, Ordering, new_with_weak};

use super::node::{BRANCHED, CANCELLED, Dependent, Flagged, Inner, Node, Place};
use super::{deadline, links, splice};

/// A child of `parent`; born cancelled if that is cancelled (T5).
pub(super) fn child_of(parent: &Arc<Node>) -> Arc<Node> {
    let mut inner = parent.inner.lock();
    if parent.flag(BRANCHED) == Flagged::TooLate {
        // What is born cancelled adds nothing to what there is to find above, so its children hang where it does: in a loop
        // of `t = t.child_token()` nobody is kept (T6).
        let above = match &inner.place {
            Some(place) if place.is_of_born_cancelled() => &place.parent,
            Some(_) | None => parent,
        };
        let above = Arc::clone(above);
        drop(inner);
        let why = Node::cancellation(parent).expect("flagged too late: cancelled");
        return Arc::new(Node::born_cancelled(above, why.below(1)));
    }
    splice::shorten_above(parent, &mut inner);
    let dependents = &mut inner.more().dependents;
    let entry = dependents.vacant_entry();
    // Both under the lock: cloning the parent costs two threads half of what it costs outside, since the cache line is here
    // already; and a node that is made with its place needs no further write that would have to prove that it is not shared.
    let (child, weak) = new_with_weak(|| {
        Node::at(Place {
            parent: Arc::clone(parent),
            key: entry.key(),
        })
    });
    entry.insert(Dependent::Child(weak));
    child
}

/// What the last drop of a node does: it takes itself out of its parent and of what it is linked to.
///
/// Whoever goes with it is walked to, not recursed into, so a chain of any length fits any stack (T7): its ancestors, and
/// those that it held only to leave them, while somebody else let go.
pub(super) fn leave(inner: &mut Inner) {
    let mut gone = Vec::new();
    leave_all(inner, &mut gone);
    if !gone.is_empty() {
        leave_with(gone);
    }
}

#[cold]
fn leave_with(mut gone: Vec<Last<Node>>) {
    while let Some(last) = gone.pop() {
        let mut inner = std::mem::take(&mut *last.inner.lock());
        leave_all(&mut inner, &mut gone);
    }
}

#[inline]
fn leave_all(inner: &mut Inner, gone: &mut Vec<Last<Node>>) {
    if let Some(more) = &mut inner.more {
        links::leave(more, gone);
        deadline::leave(more);
    }
    let mut place = inner.place.take();
    while let Some(here) = place {
        place = detach(here, gone);
    }
}

/// Takes the entry at `place` out of the parent and lets go of the parent; if that was the last to hold it, it is gone,
/// and its own place is returned, to be detached in turn.
fn detach(Place { parent, key }: Place, gone: &mut Vec<Last<Node>>) -> Option<Place> {
    let mut only_child = None;
    // A cancelled parent has given its dependents away. Relaxed, since the entry is a weak pointer to what is gone: finding
    // it there or not makes no difference to anybody.
    if parent.state.load(Ordering::Relaxed) & CANCELLED == 0 {
        let mut inner = parent.inner.lock();
        let dependents = &mut inner.more().dependents;
        let entry = dependents.try_remove(key);
        if dependents.len() == 1 && Arc::strong_count(&parent) == 2 {
            // What is left of the parent is one child, and us who are about to let go.
            only_child = splice::only_child(&inner);
        }
        drop(inner);
        drop(entry);
    }
    let above = Arc::into_inner(parent).and_then(|last| take_apart(&last, gone));
    if let Some(child) = only_child {
        splice::shorten(&child, splice::HeldBy::TheChild);
        gone.extend(Arc::into_inner(child));
    }
    above
}

/// Has a node that goes leave what it is linked to, and returns its place; its own drop then finds nothing to leave.
#[cold]
fn take_apart(last: &Last<Node>, gone: &mut Vec<Last<Node>>) -> Option<Place> {
    let mut inner = std::mem::take(&mut *last.inner.lock());
    if let Some(more) = &mut inner.more {
        links::leave(more, gone);
        deadline::leave(more);
    }
    inner.place.take()
}
