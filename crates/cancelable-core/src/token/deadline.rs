//! Deadlines: a token's own, armed with the timer, and the one that counts for it, found by looking around (T11).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::sync::{Arc, Weak};
use crate::timer::{self, Timer};
use crate::{Cancellation, Origin};

use super::mark;
use super::node::{Deadline, Flagged, LISTENED, More, Node};

/// All deadlines of the process.
static TIMER: Timer<Weak<Node>> = Timer::new(fire);

/// Gives the node a deadline at `at`, which is `after` from now, unless it has an earlier one.
pub(super) fn arm(node: &Arc<Node>, at: Instant, after: Duration) {
    if after.is_zero() {
        mark::cancel(node, &timed_out(after));
        return;
    }
    let mut inner = node.inner.lock();
    if node.flag(LISTENED) == Flagged::TooLate {
        return;
    }
    let more = inner.more();
    if more.deadline.as_ref().is_some_and(|own| own.at <= at) {
        return;
    }
    // The timer's lock comes after the node's, and is never held while a node is locked by the timer.
    let timer = TIMER.arm(at, Arc::downgrade(node));
    let later = more.deadline.replace(Deadline { at, after, timer });
    drop(inner);
    if let Some(later) = later {
        disarm(later.timer);
    }
}

/// Called by the timer's thread for a token whose deadline has come.
fn fire(node: Weak<Node>) {
    let Some(node) = node.upgrade() else { return };
    let after = {
        let inner = node.inner.lock();
        let own = inner.more.as_ref().and_then(|more| more.deadline.as_ref());
        match own {
            Some(own) if own.at <= Instant::now() => own.after,
            // Cancelled, or replaced by an earlier one that has fired, while this one was on its way.
            Some(_) | None => return,
        }
    };
    let Some(told) = mark::mark(&node, &timed_out(after)) else {
        return;
    };
    if told.has_callbacks() {
        told.tell_aside(());
    } else {
        told.tell();
    }
}

/// Forgets an armed deadline; one that has fired is forgotten already.
pub(super) fn disarm(key: timer::Key) {
    // What comes back is a weak pointer, whose drop is no user code.
    TIMER.disarm(key);
}

/// What the last drop of a token does.
pub(super) fn leave(more: &mut More) {
    if let Some(own) = more.deadline.take() {
        disarm(own.timer);
    }
}

fn timed_out(after: Duration) -> Cancellation {
    Cancellation::from_origin(Origin::timeout(after))
}

/// The deadline that counts for `node`: the earliest of its own, its parent's, and those of what it is linked to; of an
/// all-of token's members the latest.
///
/// Parents and links may be a circle and a million deep: so every node is visited once, from a stack of our own. Within a
/// circle a node that is being looked at already adds nothing, since nothing could fire by itself that way.
pub(super) fn effective(node: &Arc<Node>) -> Option<Instant> {
    let mut found = HashMap::from([(Arc::as_ptr(node).addr(), None)]);
    let mut stack = vec![Visit::new(Arc::clone(node))];
    loop {
        let visit = stack.last_mut().expect("left below, with the last visit");
        match visit.ask_next() {
            Some(neighbour) => {
                let address = Arc::as_ptr(&neighbour.node).addr();
                match found.get(&address) {
                    Some(&known) => visit.hear(neighbour.is_member, known),
                    None => {
                        found.insert(address, None);
                        let is_member = neighbour.is_member;
                        let mut next = Visit::new(neighbour.node);
                        next.is_member_of_asker = is_member;
                        stack.push(next);
                    }
                }
            }
            None => {
                let visit = stack.pop().expect("was the last a moment ago");
                let answer = visit.answer();
                match stack.last_mut() {
                    Some(asker) => {
                        found.insert(Arc::as_ptr(&visit.node).addr(), answer);
                        asker.hear(visit.is_member_of_asker, answer);
                    }
                    None => return answer,
                }
            }
        }
    }
}

/// One node on the way, with what it has heard so far.
struct Visit {
    node: Arc<Node>,
    neighbours: Vec<Neighbour>,
    is_member_of_asker: bool,
    /// The earliest of what alone cancels the node.
    earliest: Option<Instant>,
    /// The latest of the members, while each of them has one.
    latest_member: Option<Instant>,
    members_without: usize,
}

struct Neighbour {
    node: Arc<Node>,
    is_member: bool,
}

impl Visit {
    fn new(node: Arc<Node>) -> Self {
        let mut neighbours = Vec::new();
        let mut earliest = None;
        let mut members_without = 0;
        {
            let inner = node.inner.lock();
            if let Some(place) = &inner.place {
                neighbours.push(Neighbour {
                    node: Arc::clone(&place.parent),
                    is_member: false,
                });
            }
            if let Some(more) = &inner.more {
                earliest = more.deadline.as_ref().map(|own| own.at);
                members_without = more.members_left;
                for (&(_, is_member), link) in &more.links {
                    if let Some(node) = link.to.upgrade()
                        // A member that has fired is not waited for.
                        && !(is_member && node.is_cancelled())
                    {
                        neighbours.push(Neighbour { node, is_member });
                    }
                }
            }
        }
        Self {
            node,
            neighbours,
            is_member_of_asker: false,
            earliest,
            latest_member: None,
            members_without,
        }
    }

    fn ask_next(&mut self) -> Option<Neighbour> {
        self.neighbours.pop()
    }

    fn hear(&mut self, is_member: bool, deadline: Option<Instant>) {
        let Some(deadline) = deadline else { return };
        if is_member {
            self.members_without = self.members_without.saturating_sub(1);
            self.latest_member = self.latest_member.max(Some(deadline));
        } else {
            self.earliest = earlier(self.earliest, deadline);
        }
    }

    fn answer(&self) -> Option<Instant> {
        match self.latest_member {
            Some(latest) if self.members_without == 0 => earlier(self.earliest, latest),
            Some(_) | None => self.earliest,
        }
    }
}

fn earlier(known: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(known.map_or(other, |known| known.min(other)))
}
