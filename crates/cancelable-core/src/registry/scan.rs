//! Going through what is live in the order of its start, a few entries under a lock at a time.

use std::array;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::shared::{SHARDS, Shared};
use crate::LiveOperation;

/// The live operations after a number, in the order of their registration: those that were registered when the scan began
/// and are live when it comes to them.
pub(super) struct Scan<'a> {
    shared: &'a Shared,
    lanes: [Lane; SHARDS],
    /// Those with a number from here on came later.
    until: u64,
}

/// What was taken out of a shard and not passed on yet.
struct Lane {
    ready: VecDeque<(u64, Weak<dyn LiveOperation>)>,
    /// The last that was taken out.
    last: Option<u64>,
    is_done: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(shared: &'a Shared, after: Option<u64>) -> Self {
        Self {
            shared,
            lanes: array::from_fn(|_| Lane {
                ready: VecDeque::new(),
                last: after,
                is_done: false,
            }),
            until: shared.next_number(),
        }
    }

    /// Takes more out of the shards of which nothing is left here.
    fn refill(&mut self) {
        for (lane, shard) in self.lanes.iter_mut().zip(&self.shared.shards) {
            if lane.ready.is_empty() && !lane.is_done {
                lane.ready.reserve(AT_A_TIME);
                let shard = shard.lock();
                lane.ready
                    .extend(shard.after(lane.last, self.until, AT_A_TIME));
                drop(shard);
                lane.is_done = lane.ready.len() < AT_A_TIME;
                lane.last = lane.ready.back().map(|&(number, _)| number).or(lane.last);
            }
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = (u64, Arc<dyn LiveOperation>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.refill();
            let heads = self.lanes.iter_mut().filter(|lane| !lane.ready.is_empty());
            let lane = heads.min_by_key(|lane| lane.ready.front().map(|&(number, _)| number))?;
            let (number, operation) = lane.ready.pop_front()?;
            if let Some(operation) = operation.upgrade() {
                return Some((number, operation));
            }
        }
    }
}

/// Entries of a shard that are taken out under one lock.
const AT_A_TIME: usize = 16;
