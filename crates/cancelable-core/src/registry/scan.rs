//! Going through all shards in the order of numbers, a few entries under a lock at a time.

use std::array;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::shard::Shard;
use super::shared::{SHARDS, Shared};
use crate::{LiveOperation, OperationContext};

/// The live operations after a number, in the order of their registration: those that were registered when the scan began
/// and are live when it comes to them.
pub(super) fn live(
    shared: &Shared,
    after: Option<u64>,
) -> impl Iterator<Item = (u64, Arc<dyn LiveOperation>)> {
    let until = shared.common.next_number();
    let take = move |shard: &Shard, last: Option<u64>, ready: &mut Ready<_>| {
        let from = last.map_or(0, |last| last + 1);
        ready.extend(shard.live_in(from..until.max(from)).take(AT_A_TIME));
    };
    let all = Merge::new(shared, after, take, false);
    all.filter_map(|(number, operation): (u64, Weak<dyn LiveOperation>)| {
        Some((number, operation.upgrade()?))
    })
}

/// The ends before a number that are in the history, the newest first: those that were when the scan began, but for what
/// newer ones have pushed out when it comes to them.
pub(super) fn ended(
    shared: &Shared,
    before: Option<u64>,
) -> impl Iterator<Item = (u64, Arc<OperationContext>)> {
    let until = shared.common.next_end();
    let oldest = shared.common.oldest_end();
    let take = move |shard: &Shard, last: Option<u64>, ready: &mut Ready<_>| {
        let until = last.map_or(until, |last| last.min(until)).max(oldest);
        ready.extend(shard.ended_in(oldest..until).rev().take(AT_A_TIME));
    };
    Merge::new(shared, before, take, true)
}

/// Entries with their numbers, taken out of a shard and not passed on yet.
type Ready<T> = VecDeque<(u64, T)>;

/// What `take` takes out of the shards, merged by the numbers.
struct Merge<'a, T, F> {
    shared: &'a Shared,
    lanes: [Lane<T>; SHARDS],
    take: F,
    is_backwards: bool,
}

struct Lane<T> {
    ready: Ready<T>,
    /// The last that was taken out.
    last: Option<u64>,
    is_done: bool,
}

impl<'a, T, F: Fn(&Shard, Option<u64>, &mut Ready<T>)> Merge<'a, T, F> {
    fn new(shared: &'a Shared, last: Option<u64>, take: F, is_backwards: bool) -> Self {
        Self {
            shared,
            lanes: array::from_fn(|_| Lane {
                ready: VecDeque::new(),
                last,
                is_done: false,
            }),
            take,
            is_backwards,
        }
    }

    /// Takes more out of the shards of which nothing is left here.
    fn refill(&mut self) {
        for (lane, cell) in self.lanes.iter_mut().zip(&self.shared.cells) {
            if lane.ready.is_empty() && !lane.is_done {
                lane.ready.reserve(AT_A_TIME);
                let shard = cell.shard.lock();
                (self.take)(&shard, lane.last, &mut lane.ready);
                drop(shard);
                lane.is_done = lane.ready.len() < AT_A_TIME;
                lane.last = lane.ready.back().map(|(number, _)| *number);
            }
        }
    }
}

impl<T, F: Fn(&Shard, Option<u64>, &mut Ready<T>)> Iterator for Merge<'_, T, F> {
    type Item = (u64, T);

    fn next(&mut self) -> Option<Self::Item> {
        self.refill();
        let is_backwards = self.is_backwards;
        let heads = self.lanes.iter_mut().filter_map(|lane| {
            let number = lane.ready.front()?.0;
            let place = if is_backwards { !number } else { number };
            Some((place, &mut lane.ready))
        });
        let (_, ready) = heads.min_by_key(|(place, _)| *place)?;
        ready.pop_front()
    }
}

/// Entries of a shard that are taken out under one lock.
const AT_A_TIME: usize = 16;
