//! A part of the operations that are known by id, under one lock.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Weak};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::counts::Counts;
use crate::{LiveOperation, OperationContext, OperationStatus};

/// What holds of it stands in the room `shared`.
#[derive(Default)]
pub(super) struct Shard {
    slots: HashTable<Slot>,
    /// The live ones by their number, which is the order of their registration.
    order: BTreeMap<u64, Live>,
    /// The ends in memory in the order of their numbers, which is that of their coming.
    ends: VecDeque<Past>,
    pub(super) counts: Counts,
}

/// What is known by one id: at least one of the two.
struct Slot {
    key: Key,
    /// The number of the live operation with this id.
    live: Option<u64>,
    /// The number of the newest end in memory with this id.
    ended: Option<u64>,
    /// How many ends in memory have this id.
    ends: usize,
}

/// An id with its hash.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) hash: u64,
    pub(super) id: Arc<str>,
}

/// A live operation. It is held weakly: an entry that its operation keeps cannot keep its operation.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) operation: Weak<dyn LiveOperation>,
    pub(super) attempt: u32,
    /// What it told last.
    pub(super) status: OperationStatus,
}

/// An end.
#[derive(Clone)]
pub(super) struct Past {
    pub(super) number: u64,
    key: Key,
    pub(super) context: Arc<OperationContext>,
}

/// What left a shard, to be dropped without its lock.
pub(super) struct Left {
    _live: Live,
    _surplus: [Option<Past>; 2],
}

impl Shard {
    /// Lets an operation in, with the number that `number` gives.
    ///
    /// # Errors
    ///
    /// The attempt of the live operation that has this id.
    pub(super) fn enter(
        &mut self,
        key: &Key,
        live: Live,
        number: impl FnOnce() -> u64,
    ) -> Result<u64, u32> {
        let entry = self.slots.entry(
            key.hash,
            |slot| *slot.key.id == *key.id,
            |slot| slot.key.hash,
        );
        if let Entry::Occupied(slot) = &entry
            && let Some(there) = slot.get().live.and_then(|number| self.order.get(&number))
        {
            return Err(there.attempt);
        }
        let number = number();
        match entry {
            Entry::Occupied(mut slot) => slot.get_mut().live = Some(number),
            Entry::Vacant(vacant) => {
                vacant.insert(Slot {
                    key: key.clone(),
                    live: Some(number),
                    ended: None,
                    ends: 0,
                });
            }
        }
        self.counts.start(live.status);
        self.order.insert(number, live);
        Ok(number)
    }

    /// Takes a live operation out; if it told how it ended, it is known by that end from now on, which has this number. What
    /// is older than `oldest` has to go.
    pub(super) fn leave(
        &mut self,
        key: &Key,
        number: u64,
        end: Option<(&Arc<OperationContext>, u64)>,
        oldest: u64,
    ) -> Option<Left> {
        let live = self.order.remove(&number)?;
        self.counts
            .end(live.status, end.map(|(context, _)| &**context));
        let kept = end.filter(|&(_, number)| number >= oldest);
        if let Some((context, number)) = kept {
            let past = Past {
                number,
                key: key.clone(),
                context: Arc::clone(context),
            };
            self.ends.push_back(past);
        }
        self.change_slot(key, |slot| {
            slot.live = None;
            slot.ended = kept.map(|(_, number)| number).or(slot.ended);
            slot.ends += usize::from(kept.is_some());
        });
        Some(Left {
            _live: live,
            _surplus: [self.pop_older(oldest), self.pop_older(oldest)],
        })
    }

    /// Takes the oldest end out of memory, if it is older than that.
    pub(super) fn pop_older(&mut self, oldest: u64) -> Option<Past> {
        let past = self.ends.pop_front_if(|past| past.number < oldest)?;
        self.change_slot(&past.key, |slot| {
            slot.ended.take_if(|number| *number == past.number);
            slot.ends -= 1;
        });
        Some(past)
    }

    /// Takes the end with this number out of memory; its id is known by the newest that is left, if there is one.
    pub(super) fn forget(&mut self, number: u64) -> Option<Past> {
        let at = self.end_at(number);
        self.ends.get(at).filter(|past| past.number == number)?;
        let past = self.ends.remove(at)?;
        let Key { hash, id } = &past.key;
        let slot = self.slots.find(*hash, |slot| slot.key.id == *id);
        // Most have an id of their own, and then all the others need not be looked at under the lock.
        let is_known_by_another =
            slot.is_some_and(|slot| slot.ended == Some(number) && slot.ends > 1);
        let mut newest = None;
        if is_known_by_another {
            let mut newest_first = self.ends.iter().rev();
            newest = newest_first.find(|other| other.key.id == *id);
        }
        let newest = newest.map(|other| other.number);
        self.change_slot(&past.key, |slot| {
            slot.ended.take_if(|ended| *ended == number);
            slot.ended = slot.ended.or(newest);
            slot.ends -= 1;
        });
        Some(past)
    }

    /// How many ends in memory have this number or a greater one.
    pub(super) fn ends_from(&self, oldest: u64) -> usize {
        self.ends.len() - self.end_at(oldest)
    }

    /// Changes the slot of an id; one that has become empty is gone.
    fn change_slot(&mut self, key: &Key, change: impl FnOnce(&mut Slot)) {
        let found = self
            .slots
            .find_entry(key.hash, |slot| *slot.key.id == *key.id);
        if let Ok(mut slot) = found {
            change(slot.get_mut());
            if slot.get().live.is_none() && slot.get().ended.is_none() {
                slot.remove();
            }
        }
    }

    /// What is known by this id: the live operation, and the newest end.
    pub(super) fn find(&self, hash: u64, id: &str) -> (Option<Live>, Option<Past>) {
        match self.slots.find(hash, |slot| *slot.key.id == *id) {
            None => (None, None),
            Some(slot) => {
                let live = slot.live.and_then(|number| self.order.get(&number));
                let ended = slot
                    .ended
                    .and_then(|number| self.ends.get(self.end_at(number)));
                (live.cloned(), ended.cloned())
            }
        }
    }

    /// Notes what a live operation told; `false` if it had told so before, or is not live.
    pub(super) fn tell(&mut self, number: u64, status: OperationStatus) -> bool {
        let Some(live) = self.order.get_mut(&number) else {
            return false;
        };
        if live.status == status || live.status == OperationStatus::Cancelling {
            return false;
        }
        self.counts.change(live.status, status);
        live.status = status;
        true
    }

    /// The live operations with these numbers, in their order.
    pub(super) fn live_in(
        &self,
        numbers: Range<u64>,
    ) -> impl Iterator<Item = (u64, Weak<dyn LiveOperation>)> {
        let range = self.order.range(numbers);
        range.map(|(&number, live)| (number, Weak::clone(&live.operation)))
    }

    /// The ends with these numbers, in their order.
    pub(super) fn ended_in(
        &self,
        numbers: Range<u64>,
    ) -> impl DoubleEndedIterator<Item = (u64, Arc<OperationContext>)> {
        let range = self.end_at(numbers.start)..self.end_at(numbers.end);
        let range = self.ends.range(range);
        range.map(|past| (past.number, Arc::clone(&past.context)))
    }

    /// Where the end with this number stands, or would.
    fn end_at(&self, number: u64) -> usize {
        self.ends.partition_point(|past| past.number < number)
    }
}
