//! What all handles of a registry share, and how operations come and go.
//!
//! # Invariants
//!
//! 1. **Nothing foreign under a lock.** No method of an operation, predicate or waker is called, and no operation or
//!    snapshot dropped, while a lock of a registry is held: what is needed is cloned out first.
//! 2. **One lock order**: the shards by their index, then the history. A method holds one shard, but for the statistics, which
//!    hold all for as long as it takes to add up their numbers.
//! 3. **A number is given under the lock of the shard that it is for.** So who has read the next number, and then looks
//!    into a shard, finds every operation there with a smaller one that is still live. Pages rely on it.
//! 4. **From live to the history in one step**, under the lock of the shard: who asks by id finds an operation in one of
//!    the two, and who counts finds it once.
//! 5. **A slot is known by a live operation, by an end that is in the history, or is gone.** Whoever takes an end out of the
//!    history then takes it out of its slot too; until then it can still be found by its id.

use std::array;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::counts::Counts;
use super::durations::Recorder;
use super::history::{History, Past};
use super::shard::{Key, Live, Shard};
use super::statistics::Statistics;
use super::subscription::Subscribers;
use crate::{OperationContext, OperationStatus};

/// See the module's documentation.
pub(super) struct Shared {
    pub(super) shards: [Mutex<Shard>; SHARDS],
    /// The number of the next that registers.
    next: AtomicU64,
    hasher: RandomState,
    pub(super) history: Mutex<History>,
    durations: Recorder,
    pub(super) subscribers: Arc<Subscribers>,
}

impl Shared {
    pub(super) fn new(history_limit: usize) -> Self {
        Self {
            shards: array::from_fn(|_| Mutex::default()),
            next: AtomicU64::new(0),
            hasher: RandomState::new(),
            history: Mutex::new(History::new(history_limit)),
            durations: Recorder::new(),
            subscribers: Arc::default(),
        }
    }

    pub(super) fn key(&self, id: &str) -> Key {
        Key {
            hash: self.hasher.hash_one(id),
            id: Arc::from(id),
        }
    }

    /// The number below which all are that have registered by now.
    pub(super) fn next_number(&self) -> u64 {
        // Acquire: pairs with the release of `enter`, though what is read below comes by the shards' locks. A number that is
        // seen here was given under a lock that whoever asks next has to wait for.
        self.next.load(Ordering::Acquire)
    }

    /// Lets an operation in.
    ///
    /// # Errors
    ///
    /// The attempt of the live operation that has this id.
    pub(super) fn enter(&self, key: &Key, live: Live) -> Result<u64, u32> {
        let mut shard = self.shard(key.hash).lock();
        // Release: pairs with `next_number`.
        shard.enter(key, live, || self.next.fetch_add(1, Ordering::Release))
    }

    /// Moves an operation from the live ones to the history.
    pub(super) fn end(&self, key: &Key, number: u64, context: &Arc<OperationContext>) {
        // Before it is counted, so that whoever sees the count sees the duration too.
        self.durations.record(context);
        let mut shard = self.shard(key.hash).lock();
        let (kept, surplus) = self.history.lock().push(key, context);
        let left = shard.leave(key, number, Some(context), kept);
        drop(shard);
        drop(left);
        if let Some(past) = surplus {
            self.forget(&past);
        }
    }

    /// Takes out an operation that does not tell how it ended.
    pub(super) fn leave(&self, key: &Key, number: u64) {
        let left = self.shard(key.hash).lock().leave(key, number, None, None);
        drop(left);
    }

    /// Notes what a live operation told; `false` if that is nothing new.
    pub(super) fn tell(&self, key: &Key, number: u64, status: OperationStatus) -> bool {
        self.shard(key.hash).lock().tell(number, status)
    }

    /// What is known by this id: the live operation, and the newest end.
    pub(super) fn find(&self, id: &str) -> (Option<Live>, Option<Past>) {
        let hash = self.hasher.hash_one(id);
        self.shard(hash).lock().find(hash, id)
    }

    /// Takes out of its slot what was taken out of the history.
    pub(super) fn forget(&self, past: &Past) {
        let Past { key, number, .. } = past;
        let forgotten = self.shard(key.hash).lock().forget(key, *number);
        drop(forgotten);
    }

    /// How many operations stand where, all at one moment.
    pub(super) fn counts(&self) -> Counts {
        let all: [_; SHARDS] = array::from_fn(|index| self.shards[index].lock());
        let mut sum = Counts::default();
        for shard in &all {
            sum.add(&shard.counts);
        }
        sum
    }

    /// All figures.
    pub(super) fn statistics(&self) -> Statistics {
        let counts = self.counts();
        let history = self.history.lock().len();
        Statistics::new(counts, history, self.durations.recorded())
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The table inside takes the lowest bits and the highest seven.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

/// Enough that two threads seldom meet, and few enough that a page has not many to look into.
pub(super) const SHARDS: usize = 16;
