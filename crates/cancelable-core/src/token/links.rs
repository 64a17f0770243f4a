//! Links: tokens whose cancel reaches another that is not their child.
//!
//! A link is held weakly on both ends, so a circle keeps nobody alive (T4, T6). Each end knows where it stands at the other:
//! the token that is told leaves the other's dependents when it is dropped; the other's end, once dropped, is found dead
//! and swept as new links come.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::collections::btree_map::Entry;

use crate::Cancellation;
use crate::sync::{Arc, Last, address};

use super::mark;
use super::node::{BRANCHED, Dependent, Flagged, Link, More, Node};

/// Has `other`'s cancel reach `token`, with the same reason; at once if `other` is cancelled already (T5).
pub(super) fn link(token: &Arc<Node>, other: &Arc<Node>) {
    if Arc::ptr_eq(token, other) || token.is_cancelled() {
        return;
    }
    if let Some(why) = join(token, other, false) {
        mark::cancel(token, &why);
    }
}

/// Makes `token`, which is new, one that is cancelled when every one of `members` is.
pub(super) fn all_of(token: &Arc<Node>, members: &[Arc<Node>]) {
    // One that is given twice counts once, also where it has fired already and so is never joined.
    let mut known = HashSet::new();
    let members: Vec<_> = members
        .iter()
        .filter(|member| known.insert(address(member)))
        .collect();
    token.inner.lock().more().members_left = members.len();
    let fired = members
        .iter()
        .filter(|member| join(token, member, true).is_some())
        .count();
    if fired == 0 {
        return;
    }
    let all_fired = {
        let mut inner = token.inner.lock();
        let left = &mut inner.more().members_left;
        *left -= fired;
        *left == 0
    };
    // The last that fired, whether it did so before it was given or meanwhile.
    let last = members
        .into_iter()
        .filter_map(Node::fired)
        .max_by_key(|fired| fired.order);
    if let (true, Some(last)) = (all_fired, last) {
        mark::cancel(token, &last.why);
    }
}

/// What the last drop of a token does: it leaves the dependents of all that it was linked to. Those that nobody else
/// holds by then are added to `gone`.
pub(super) fn leave(more: &mut More, gone: &mut Vec<Last<Node>>) {
    for link in std::mem::take(&mut more.links).into_values() {
        if let Some(other) = link.to.upgrade() {
            let mut inner = other.inner.lock();
            // The key is ours until it is removed here, or gone with the whole slab when `other` was cancelled.
            let entry = link
                .key
                .and_then(|key| inner.more().dependents.try_remove(key));
            drop(inner);
            drop(entry);
            gone.extend(Arc::into_inner(other));
        }
    }
}

/// Puts `token` among the dependents of `other`, unless `other` is cancelled: then why that is. Either way it is known to
/// be linked, since the deadline of `other` counts for it also after that has passed.
fn join(token: &Arc<Node>, other: &Arc<Node>, is_member: bool) -> Option<Cancellation> {
    let key = {
        let mut inner = other.inner.lock();
        match other.flag(BRANCHED) {
            Flagged::TooLate => None,
            Flagged::InTime => {
                let token = Arc::downgrade(token);
                Some(inner.more().dependents.insert(if is_member {
                    Dependent::AllOf(token)
                } else {
                    Dependent::Linked(token)
                }))
            }
        }
    };
    let link = Link {
        to: Arc::downgrade(other),
        key,
    };
    let mut inner = token.inner.lock();
    let more = inner.more();
    sweep(more);
    match more.links.entry((address(other), is_member)) {
        Entry::Vacant(entry) => {
            entry.insert(link);
        }
        Entry::Occupied(_) => {
            drop(inner);
            // Linked already: one entry is enough.
            let mut inner = other.inner.lock();
            let entry = key.and_then(|key| inner.more().dependents.try_remove(key));
            drop(inner);
            drop(entry);
        }
    }
    match key {
        Some(_) => None,
        None => Node::cancellation(other),
    }
}

/// Forgets links to tokens that are gone, each time that their number may have doubled; so what is kept is bounded by the
/// peak of those alive (T6).
fn sweep(more: &mut More) {
    const AT_LEAST: usize = 8;
    if more.links.len() >= more.links_sweep_at.max(AT_LEAST) {
        more.links.retain(|_, link| !link.is_dead());
        more.links_sweep_at = 2 * more.links.len();
    }
}
