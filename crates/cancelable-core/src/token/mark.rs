//! Cancelling: mark the whole subtree, then tell anybody (T3).
//!
//! Marking sets one bit in each node. Only the node that was asked stores the reason, and so do those that links lead to;
//! a child finds it by walking up. Lists of dependents are taken out whole and walked with a worklist, so no lock is held
//! while a million children are marked, and no stack is needed (T7).
//!
//! # Overlapping cancels
//!
//! Say B is below A, and both are cancelled at once. If A's walk meets B marked by B's own, it does not go below B, and
//! must not tell anybody before B's own walk is through; and B's canceller, if A's walk came first, must not return before
//! that is. Hence the process-wide lock around marking (invariant 4 of `node`). It is held for marking only, and taken
//! only for nodes that have dependents. Asking, cloning, dropping, waiting and making children never take it.

use slab::Slab;

use crate::Cancellation;
use crate::sync::{Arc, MutexGuard, Ordering, marking};

use super::node::{BRANCHED, CANCELLED, Dependent, Inner, LISTENED, Node};
use super::tell::Told;

/// Cancels `node` and everything below, tells all that listen, and says whether this call was the one.
pub(super) fn cancel(node: &Node, why: &Cancellation) -> bool {
    match mark(node, why) {
        Some(told) => {
            told.tell();
            true
        }
        None => false,
    }
}

/// Marks `node` and everything below as cancelled, and returns who is to be told; `None` if `node` was cancelled already.
/// Either way, when it returns the whole subtree is marked.
pub(super) fn mark(node: &Node, why: &Cancellation) -> Option<Told> {
    let (_marking, mut inner) = lock_to_mark(node);
    let struck = strike_locked(node, &mut inner, why)?;
    drop(inner);
    let mut told = Told::default();
    told.add(why, 0, struck.listeners);
    mark_dependents(struck.dependents, why, &mut told);
    Some(told)
}

/// The node's lock, and the marking lock before it if the node has dependents.
fn lock_to_mark(node: &Node) -> (Option<MutexGuard<'static, ()>>, MutexGuard<'_, Inner>) {
    // Relaxed, since it is asked again under the lock.
    if node.state.load(Ordering::Relaxed) & BRANCHED == 0 {
        let inner = node.inner.lock();
        // Under the lock the flag stands still. Relaxed, since its setter has released this lock.
        if node.state.load(Ordering::Relaxed) & BRANCHED == 0 {
            return (None, inner);
        }
    }
    let marking = marking();
    (Some(marking), node.inner.lock())
}

/// What a node that was just marked had.
struct Struck {
    listeners: super::tell::Listeners,
    dependents: Slab<Dependent>,
}

/// Marks one node whose lock is held, with a reason of its own; `None` if it was cancelled already.
fn strike_locked(node: &Node, inner: &mut Inner, why: &Cancellation) -> Option<Struck> {
    // Acquire: the caller learns from a no that the node is cancelled, which a parent's canceller did without this lock (T2).
    if node.state.load(Ordering::Acquire) & CANCELLED != 0 {
        return None;
    }
    // Stored before the bit, and read under the lock alone, so whoever sees the bit finds it.
    inner.why = Some(why.clone());
    // Release publishes what the canceller wrote to whoever asks (T2). Acquire, since it may have lost to a parent's
    // canceller, which took no lock, and then says so.
    if node.state.fetch_or(Node::cancelled_now(), Ordering::AcqRel) & CANCELLED != 0 {
        // The parent's canceller, which takes no lock to mark a child, was faster.
        inner.why = None;
        return None;
    }
    Some(take(inner))
}

/// Marks a child, which needs no lock for that, and says whether there is anything to take out of it then.
fn strike_child(node: &Node) -> bool {
    // Release as in `strike_locked`. No acquire: what the flags lead to is behind the lock.
    let before = node.state.fetch_or(CANCELLED, Ordering::Release);
    before & CANCELLED == 0 && before & (LISTENED | BRANCHED) != 0
}

fn take(inner: &mut Inner) -> Struck {
    let dependents = match &mut inner.more {
        Some(more) => std::mem::take(&mut more.dependents),
        None => Slab::new(),
    };
    Struck {
        listeners: super::tell::Listeners::take(inner),
        dependents,
    }
}

/// Marks everything below; the caller holds the marking lock if there is anything, and the node that had `first`.
///
/// A node is held for as long as its dependents are in hand here: `splice` takes it for granted that who is linked to
/// nobody alive will not be reached.
fn mark_dependents(first: Slab<Dependent>, why: &Cancellation, told: &mut Told) {
    if first.is_empty() {
        return;
    }
    let mut worklist = vec![(None, first, 0)];
    while let Some((owner, dependents, generation)) = worklist.pop() {
        for (_, dependent) in dependents {
            let (Dependent::Child(node) | Dependent::Linked(node) | Dependent::AllOf(node)) =
                &dependent;
            let Some(node) = node.upgrade() else { continue };
            let (struck, generation) = match dependent {
                Dependent::Child(_) => {
                    // Most have nothing, and then what could be taken is not to be moved about.
                    if !strike_child(&node) {
                        told.let_go(node);
                        continue;
                    }
                    (Some(take(&mut node.inner.lock())), generation + 1)
                }
                Dependent::Linked(_) => {
                    let why = why.below(generation);
                    let struck = strike_locked(&node, &mut node.inner.lock(), &why);
                    (struck, generation)
                }
                Dependent::AllOf(_) => (member_fired(&node, &why.below(generation)), generation),
            };
            let Some(struck) = struck else {
                told.let_go(node);
                continue;
            };
            told.add(why, generation, struck.listeners);
            if struck.dependents.is_empty() {
                told.let_go(node);
            } else {
                worklist.push((Some(node), struck.dependents, generation));
            }
        }
        if let Some(owner) = owner {
            told.let_go(owner);
        }
    }
}

/// Counts a member of an all-of token as fired; with the last, the token is marked.
fn member_fired(token: &Arc<Node>, why: &Cancellation) -> Option<Struck> {
    let mut inner = token.inner.lock();
    let left = &mut inner.more().members_left;
    *left = left
        .checked_sub(1)
        .expect("a member is counted once, as its entry is taken out");
    if *left == 0 {
        strike_locked(token, &mut inner, why)
    } else {
        None
    }
}
