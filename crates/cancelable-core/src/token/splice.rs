//! Taking ancestors that nobody holds out of the line between a child and its grandparent (T6).
//!
//! In a loop of `t = t.child_token()` every step lets go of a token that its only child still needs as the way up. Were it
//! kept, the line would grow for ever. A node is a mere step when its strong pointers are those of its one child, and it
//! has no listener, deadline, link to anything alive, or weak handle of its own; then the child takes its place.
//!
//! Whether a node is a mere step is asked when a handle is dropped, when a sibling leaves, and, since two drops at once may
//! each still see the other, again whenever a child is made below: a missed step is found before the line can grow by
//! another.
//!
//! # Why a cancel in progress misses nobody
//!
//! A canceller reaches the step through the grandparent's dependents, which it takes out whole, under the grandparent's
//! lock, after it marked it. Here that lock is held too: if the grandparent is cancelled, nothing is changed; if not, the
//! canceller will find the child in the step's stead. A canceller that would reach the step by a link holds the link's
//! other end for as long as it has that one's dependents in hand, so the link is not to the dead. Nobody else can reach the
//! step: no handle is left, and no new one can be made, because the last strong pointer to it is the child's, whose lock is
//! held.

use crate::sync::{Arc, MutexGuard, Ordering};

use super::node::{BRANCHED, CANCELLED, Dependent, Inner, Node};

/// Who still holds the ancestor that may be a mere step.
#[derive(Clone, Copy)]
pub(super) enum HeldBy<'a> {
    /// The child alone.
    TheChild,
    /// The child, and the caller by this pointer, which is about to go.
    TheChildAnd(&'a Arc<Node>),
}

impl HeldBy<'_> {
    /// Whether somebody else holds the step as well.
    fn others(self, step: &Arc<Node>) -> bool {
        match self {
            Self::TheChild => Arc::strong_count(step) != 1,
            // The child's parent is the caller's, or by now none: what the caller holds is taken out by nobody else. It is
            // asked all the same, since the counting means nothing for another.
            Self::TheChildAnd(caller) => !Arc::ptr_eq(step, caller) || Arc::strong_count(step) != 2,
        }
    }
}

/// Called by a handle's drop: if its node is about to be held by its only child alone, the line is shortened.
#[inline]
pub(super) fn handle_goes(node: &Arc<Node>) {
    // Both loads are hints, hence relaxed: what they miss is found when the next child is made.
    if node.state.load(Ordering::Relaxed) & (BRANCHED | CANCELLED) == BRANCHED
        && Arc::strong_count(node) == 2
    {
        shorten_below(node);
    }
}

#[cold]
fn shorten_below(node: &Arc<Node>) {
    let child = only_child(&node.inner.lock());
    if let Some(child) = child {
        shorten(&child, HeldBy::TheChildAnd(node));
    }
}

/// The only dependent, if it is a child and alive.
pub(super) fn only_child(inner: &Inner) -> Option<Arc<Node>> {
    let dependents = &inner.more.as_ref()?.dependents;
    if dependents.len() != 1 {
        return None;
    }
    match dependents.iter().next() {
        Some((_, Dependent::Child(child))) => child.upgrade(),
        Some((_, Dependent::Linked(_) | Dependent::AllOf(_))) | None => None,
    }
}

/// Takes mere steps out from above `child`.
pub(super) fn shorten(child: &Arc<Node>, held_by: HeldBy<'_>) {
    let mut inner = child.inner.lock();
    if let Some(step) = take_step(child, &mut inner, held_by) {
        shorten_above(child, &mut inner);
        drop(inner);
        drop(step);
    }
}

/// Takes mere steps out from above `child`, whose lock the caller holds.
pub(super) fn shorten_above(child: &Arc<Node>, inner: &mut MutexGuard<'_, Inner>) {
    // Dropping a step under the child's lock is no user code: it has no listeners, and no place to leave.
    while take_step(child, inner, HeldBy::TheChild).is_some() {}
}

/// Takes the parent out from between `child` and its grandparent, and returns it, if it is a mere step.
fn take_step(
    child: &Arc<Node>,
    inner: &mut MutexGuard<'_, Inner>,
    held_by: HeldBy<'_>,
) -> Option<Arc<Node>> {
    let place = inner.place.as_mut()?;
    let step = &place.parent;
    if held_by.others(step) {
        return None;
    }
    let mut step_inner = step.inner.lock();
    // Asked again: a weak handle may have brought the step back and gone since. It went under this lock.
    if held_by.others(step) {
        return None;
    }
    let is_plain = step_inner.first_waiter.is_none()
        && step_inner
            .more
            .as_ref()
            .is_some_and(|more| more.is_plain_step());
    // Relaxed: the flags that matter are set before their setter takes the lock that is held here.
    if !is_plain || step.state.load(Ordering::Relaxed) & CANCELLED != 0 {
        return None;
    }
    if let Some(above) = &step_inner.place {
        let mut grandparent = above.parent.inner.lock();
        // Relaxed: whoever marks it without this lock comes for its dependents under it, and finds the child.
        if above.parent.state.load(Ordering::Relaxed) & CANCELLED != 0 {
            return None;
        }
        let entry = grandparent.more().dependents.get_mut(above.key);
        *entry.expect("a node that is not cancelled has its entry in its parent") =
            Dependent::Child(Arc::downgrade(child));
    }
    let above = step_inner.place.take();
    step_inner.more().dependents.clear();
    drop(step_inner);
    match above {
        Some(above) => Some(std::mem::replace(place, above).parent),
        None => inner.place.take().map(|place| place.parent),
    }
}
