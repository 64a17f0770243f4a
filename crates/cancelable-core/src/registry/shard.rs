//! A part of the operations that are known by id, under one lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::counts::Counts;
use super::history::Past;
use crate::{LiveOperation, OperationContext, OperationStatus};

/// See [`Shared`](super::shared::Shared) for what holds of it. Aligned, so that two threads that use two shards do not write
/// to one cache line.
#[repr(align(128))]
#[derive(Default)]
pub(super) struct Shard {
    slots: HashTable<Slot>,
    /// The live ones by their number, which is the order of their registration.
    order: BTreeMap<u64, Live>,
    pub(super) counts: Counts,
}

/// What is known by one id: at least one of the two.
struct Slot {
    key: Key,
    /// The number of the live operation with this id.
    live: Option<u64>,
    /// The newest in the history with this id.
    ended: Option<Past>,
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
                });
            }
        }
        self.counts.start(live.status);
        self.order.insert(number, live);
        Ok(number)
    }

    /// Takes a live operation out: `context` is how it ended, if it told, and by `kept` it is known from now on. What is no
    /// longer needed is handed out, to be dropped without the lock.
    pub(super) fn leave(
        &mut self,
        key: &Key,
        number: u64,
        context: Option<&OperationContext>,
        kept: Option<Past>,
    ) -> Option<Left> {
        let live = self.order.remove(&number)?;
        self.counts.end(live.status, context);
        let mut before = None;
        self.change_slot(key, |slot| {
            slot.live = None;
            if kept.is_some() {
                before = std::mem::replace(&mut slot.ended, kept);
            }
        });
        Some(Left {
            _live: live,
            _before: before,
        })
    }

    /// Forgets the end with this number in the history, if the id is known by it.
    pub(super) fn forget(&mut self, key: &Key, number: u64) -> Option<Past> {
        let mut forgotten = None;
        self.change_slot(key, |slot| {
            forgotten = slot.ended.take_if(|ended| ended.number == number);
        });
        forgotten
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
                (live.cloned(), slot.ended.clone())
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

    /// The next live operations after a number, in their order: at most `limit`, and none from `until` on.
    pub(super) fn after(
        &self,
        number: Option<u64>,
        until: u64,
        limit: usize,
    ) -> impl Iterator<Item = (u64, Weak<dyn LiveOperation>)> {
        let from = number.map_or(0, |number| number + 1);
        let range = self.order.range(from..until.max(from));
        range
            .take(limit)
            .map(|(&number, live)| (number, Weak::clone(&live.operation)))
    }
}

/// What left a shard.
pub(super) struct Left {
    _live: Live,
    _before: Option<Past>,
}
