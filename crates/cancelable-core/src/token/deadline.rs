//! Deadlines: a token's own, armed with the timer, and the one that counts for it, found by looking around (T11).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use crate::sync::{Arc, Weak, address};
use crate::timer::{self, Timer};
use crate::{Cancellation, Origin};

use super::mark;
use super::node::{Deadline, Flagged, LISTENED, More, Node};

/// All deadlines of the process.
static TIMER: Timer<Weak<Node>> = Timer::new(fire);

/// Gives the node a deadline at `at`, which is `after` from now, unless it has an earlier one. Where that is now, it has
/// passed already: a fact to be asked for, and the end of the node.
pub(super) fn arm(node: &Arc<Node>, at: Instant, after: Duration) {
    set(node, at, after);
    if after.is_zero() {
        mark::cancel(node, &timed_out(after));
    }
}

fn set(node: &Arc<Node>, at: Instant, after: Duration) {
    let mut inner = node.inner.lock();
    if node.flag(LISTENED) == Flagged::TooLate {
        return;
    }
    let more = inner.more();
    if more.deadline.as_ref().is_some_and(|own| own.at <= at) {
        return;
    }
    // The timer's lock comes after the node's, and is never held while a node is locked by the timer.
    let timer = (!after.is_zero()).then(|| TIMER.arm(at, Arc::downgrade(node)));
    let later = more.deadline.replace(Deadline { at, after, timer });
    drop(inner);
    if let Some(timer) = later.and_then(|later| later.timer) {
        disarm(timer);
    }
}

/// Called by the timer's thread for a token whose deadline has come.
fn fire(node: Weak<Node>) {
    let Some(node) = node.upgrade() else { return };
    if let Some(after) = passed(&node)
        && let Some(told) = mark::mark(&node, &timed_out(after))
    {
        told.tell_from_timer();
    }
    if let Some(last) = Arc::into_inner(node) {
        // What callbacks further up have captured goes with it, and that may be slow.
        timer::run_aside(Box::new(move || drop(last)));
    }
}

/// How long after it was set the node's own deadline has passed; `None` for one that is yet to come, in whose stead an
/// earlier one was on its way here.
fn passed(node: &Node) -> Option<Duration> {
    let inner = node.inner.lock();
    let own = inner.more.as_ref()?.deadline.as_ref()?;
    (own.at <= Instant::now()).then_some(own.after)
}

/// Forgets an armed deadline; one that has fired is forgotten already.
pub(super) fn disarm(key: timer::Key) {
    // What comes back is a weak pointer, whose drop is no user code.
    TIMER.disarm(key);
}

/// What the last drop of a token does.
pub(super) fn leave(more: &mut More) {
    if let Some(timer) = more.deadline.take().and_then(|own| own.timer) {
        disarm(timer);
    }
}

fn timed_out(after: Duration) -> Cancellation {
    Cancellation::from_origin(Origin::timeout(after))
}

/// The deadline that counts for `node`: the earliest of its own, its parent's, and those of what it is linked to; of an
/// all-of token's members the latest.
///
/// Found by playing what would happen if nothing but deadlines did, in the order of time, among all that `node` could hear
/// of. So circles of parents, links and members need no thought: what could only fire by itself is never reached.
pub(super) fn effective(node: &Arc<Node>) -> Option<Instant> {
    let mut around = Around::of(node);
    let mut due: BinaryHeap<_> = around
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(number, seen)| Some(Reverse((seen.own?, number))))
        .collect();
    while let Some(Reverse((at, number))) = due.pop() {
        if number == 0 {
            return Some(at);
        }
        // Taken, so that one with several deadlines ends others once.
        for (other, is_member) in std::mem::take(&mut around.nodes[number].ends) {
            let other_seen = &mut around.nodes[other];
            if is_member {
                other_seen.members_left = other_seen.members_left.saturating_sub(1);
            }
            if !is_member || other_seen.members_left == 0 {
                due.push(Reverse((at, other)));
            }
        }
    }
    None
}

/// A node and all that could end it, directly or not; itself the first.
struct Around {
    nodes: Vec<Seen>,
    /// Their places in `nodes` by address, which stays theirs while they are held there.
    numbers: HashMap<usize, usize>,
}

/// What was found at one node.
struct Seen {
    node: Arc<Node>,
    own: Option<Instant>,
    members_left: usize,
    /// Whom it ends, and whether as one of several members that are waited for.
    ends: Vec<(usize, bool)>,
}

impl Around {
    fn of(node: &Arc<Node>) -> Self {
        let mut this = Self {
            nodes: Vec::new(),
            numbers: HashMap::new(),
        };
        this.number(Arc::clone(node));
        let mut next = 0;
        while next < this.nodes.len() {
            this.look(next);
            next += 1;
        }
        this
    }

    /// Fills in what there is to know of one node, and adds its neighbours.
    fn look(&mut self, number: usize) {
        let seen = &mut self.nodes[number];
        let mut neighbours = Vec::new();
        {
            let inner = seen.node.inner.lock();
            let parent = inner.place.as_ref().map(|place| &place.parent);
            neighbours.extend(parent.map(|parent| (Arc::clone(parent), false)));
            if let Some(more) = &inner.more {
                seen.own = more.deadline.as_ref().map(|own| own.at);
                seen.members_left = more.members_left;
                let links = more.links.iter();
                neighbours.extend(
                    links.filter_map(|(&(_, is_member), link)| {
                        Some((link.to.upgrade()?, is_member))
                    }),
                );
            }
        }
        // Not before the lock is released: a pointer that is dropped here may turn out to be the last.
        let is_waiting = seen.members_left > 0;
        let mut last: Option<(usize, Arc<Node>)> = None;
        for (neighbour, is_member) in neighbours {
            if !is_member {
                self.ends(neighbour, number, false);
            } else if let Some(fired) = Node::fired(&neighbour) {
                // A member that has fired is not waited for. When all have, the last was what ended it.
                if !is_waiting && last.as_ref().is_none_or(|(order, _)| *order < fired.order) {
                    last = Some((fired.order, neighbour));
                }
            } else {
                self.ends(neighbour, number, true);
            }
        }
        if let Some((_, last)) = last {
            self.ends(last, number, false);
        }
    }

    /// Adds that `neighbour` ends the one with this number.
    fn ends(&mut self, neighbour: Arc<Node>, number: usize, is_member: bool) {
        let neighbour = self.number(neighbour);
        self.nodes[neighbour].ends.push((number, is_member));
    }

    fn number(&mut self, node: Arc<Node>) -> usize {
        let next = self.nodes.len();
        let address = address(&node);
        let number = *self.numbers.entry(address).or_insert(next);
        if number == next {
            self.nodes.push(Seen {
                node,
                own: None,
                members_left: 0,
                ends: Vec::new(),
            });
        }
        number
    }
}
