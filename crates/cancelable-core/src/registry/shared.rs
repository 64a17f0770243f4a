//! What all handles of a registry share, and how operations come and go.
//!
//! An operation lives in the cell that the hash of its id leads to, and there it goes into the history. So two threads
//! whose operations come and go seldom write to the same memory: what they share are the two counters that give operations
//! their numbers.
//!
//! # Invariants
//!
//! 1. **Nothing foreign under a lock.** No method of an operation, predicate or waker is called, and no operation or
//!    snapshot dropped, while a lock of a registry is held: what is needed is cloned out first.
//! 2. **No lock is taken under a lock**, but for the counts of all shards, which are added up with all of them held.
//! 3. **A number is given under the lock of the shard that it is for.** So who has read the next number, and then looks
//!    into a shard, finds all there with a smaller one that have not left. Lists rely on it.
//! 4. **From live to the history in one step**, under the lock of the shard: who asks by id finds an operation in one of
//!    the two, and who counts finds it once.
//! 5. **The history is the newest ends by their number**, but for those that somebody had it forget. An older one is in no
//!    list, though it may be in memory until its shard is looked through: by the next that ends there, or by one of the next
//!    hundred or so that end anywhere.
//! 6. **A slot is known by a live operation, by an end in memory, or is gone.**

use std::array;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use super::counts::Counts;
use super::durations::{Names, Recorder};
use super::shard::{Key, Live, Past, Shard};
use super::statistics::Statistics;
use super::subscription::Subscribers;
use crate::{LiveOperation, OperationContext, OperationStatus};

/// What the handles of a registry share.
pub(super) struct Shared {
    pub(super) cells: [Arc<Cell>; SHARDS],
    pub(super) common: Arc<Common>,
    hasher: RandomState,
}

/// A part of a registry. Entries keep it, and not the registry, so that they do not all count at one place.
#[repr(align(128))]
pub(super) struct Cell {
    pub(super) shard: Mutex<Shard>,
    durations: Recorder,
    pub(super) common: Arc<Common>,
}

/// What all parts of a registry share.
pub(super) struct Common {
    next: Counter,
    ends: Counter,
    history: Window,
    names: Names,
    pub(super) subscribers: Arc<Subscribers>,
    cells: OnceLock<[Weak<Cell>; SHARDS]>,
}

/// A number that many threads count up, in memory of its own.
#[repr(align(128))]
#[derive(Default)]
struct Counter(AtomicU64);

/// Which ends are in the history: those from `floor` on, of the newest `limit`.
struct Window {
    limit: AtomicU64,
    floor: AtomicU64,
}

impl Shared {
    pub(super) fn new(history_limit: usize) -> Self {
        let common = Arc::new(Common {
            next: Counter::default(),
            ends: Counter::default(),
            history: Window {
                limit: AtomicU64::new(history_limit as u64),
                floor: AtomicU64::new(0),
            },
            names: Names::default(),
            subscribers: Arc::default(),
            cells: OnceLock::new(),
        });
        let cells: [_; SHARDS] = array::from_fn(|_| {
            Arc::new(Cell {
                shard: Mutex::default(),
                durations: Recorder::default(),
                common: Arc::clone(&common),
            })
        });
        common
            .cells
            .get_or_init(|| cells.each_ref().map(Arc::downgrade));
        Self {
            cells,
            common,
            hasher: RandomState::new(),
        }
    }

    pub(super) fn key(&self, id: &str) -> Key {
        Key {
            hash: self.hasher.hash_one(id),
            id: Arc::from(id),
        }
    }

    pub(super) fn cell(&self, hash: u64) -> &Arc<Cell> {
        // The table inside takes the lowest bits and the highest seven.
        &self.cells[(hash >> 32) as usize % SHARDS]
    }

    /// What is known by this id: the live operation, and the newest end in the history.
    pub(super) fn find(&self, id: &str) -> (Option<Live>, Option<Arc<OperationContext>>) {
        let hash = self.hasher.hash_one(id);
        let (live, ended) = self.cell(hash).shard.lock().find(hash, id);
        let ended = ended.filter(|past| past.number >= self.common.oldest_end());
        (live, ended.map(|past| past.context))
    }

    /// The same with the live operation held. One that was found live and is gone when it is to be held has ended meanwhile,
    /// so its end is looked for; or it has yet to leave without one.
    pub(super) fn hold(
        &self,
        id: &str,
    ) -> (
        Option<Arc<dyn LiveOperation>>,
        Option<Arc<OperationContext>>,
    ) {
        let mut gone: Option<Weak<dyn LiveOperation>> = None;
        loop {
            let (live, ended) = self.find(id);
            let Some(Live { operation, .. }) = live else {
                return (None, ended);
            };
            let held = operation.upgrade();
            let is_gone_still = gone.is_some_and(|gone| gone.ptr_eq(&operation));
            if held.is_some() || is_gone_still {
                return (held, ended);
            }
            gone = Some(operation);
        }
    }

    /// How many operations stand where, and how many are in the history, all at one moment.
    pub(super) fn counts(&self) -> (Counts, u64) {
        let all: [_; SHARDS] = array::from_fn(|index| self.cells[index].shard.lock());
        let oldest = self.common.oldest_end();
        let mut sum = Counts::default();
        let mut history = 0;
        for shard in &all {
            sum.add(&shard.counts);
            history += shard.ends_from(oldest) as u64;
        }
        (sum, history)
    }

    /// Takes an end out of the history; `false` if it is out already.
    pub(super) fn forget(&self, number: u64, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        let past = self.cell(hash).shard.lock().forget(number);
        past.is_some_and(|past| past.number >= self.common.oldest_end())
    }

    /// All figures.
    pub(super) fn statistics(&self) -> Statistics {
        let (counts, history) = self.counts();
        let recorders = self.cells.iter().map(|cell| &cell.durations);
        Statistics::new(counts, history, Recorder::read(recorders))
    }

    pub(super) fn set_history_limit(&self, limit: usize) {
        self.common.set_limit(limit as u64);
        for cell in &self.cells {
            while !cell.trim().is_empty() {}
        }
    }
}

impl Cell {
    /// Lets an operation in.
    ///
    /// # Errors
    ///
    /// The attempt of the live operation that has this id.
    pub(super) fn enter(&self, key: &Key, live: Live) -> Result<u64, u32> {
        let mut shard = self.shard.lock();
        shard.enter(key, live, || self.common.next.take())
    }

    /// Moves an operation from the live ones to the history.
    pub(super) fn end(&self, key: &Key, number: u64, context: &Arc<OperationContext>) {
        // Before it is counted, so that whoever sees the count sees the duration too.
        self.durations.record(context, &self.common.names);
        let common = &self.common;
        let mut shard = self.shard.lock();
        let end = common.ends.take();
        let left = shard.leave(key, number, Some((context, end)), common.oldest_end());
        drop(shard);
        drop(left);
        if end.is_multiple_of(TRIM_EVERY) {
            common.trim((end / TRIM_EVERY) as usize % SHARDS);
        }
    }

    /// Takes out an operation that does not tell how it ended.
    pub(super) fn leave(&self, key: &Key, number: u64) {
        let left = self.shard.lock().leave(key, number, None, 0);
        drop(left);
    }

    /// Notes what a live operation told; `false` if that is nothing new.
    pub(super) fn tell(&self, number: u64, status: OperationStatus) -> bool {
        self.shard.lock().tell(number, status)
    }

    /// Takes some out that are no longer in the history.
    fn trim(&self) -> Vec<Past> {
        let oldest = self.common.oldest_end();
        let mut shard = self.shard.lock();
        let mut surplus = Vec::new();
        while surplus.len() < AT_A_TIME
            && let Some(past) = shard.pop_older(oldest)
        {
            surplus.push(past);
        }
        surplus
    }
}

impl Common {
    /// The number below which all are that have registered by now.
    pub(super) fn next_number(&self) -> u64 {
        self.next.read()
    }

    /// The number below which all are that have ended by now.
    pub(super) fn next_end(&self) -> u64 {
        self.ends.read()
    }

    /// The number from which on ends are in the history.
    pub(super) fn oldest_end(&self) -> u64 {
        // Relaxed: whoever changes the limit looks through all shards after it.
        let limit = self.history.limit.load(Ordering::Relaxed);
        let floor = self.history.floor.load(Ordering::Relaxed);
        self.next_end().saturating_sub(limit).max(floor)
    }

    /// What is out of the history stays out when the limit grows.
    fn set_limit(&self, limit: u64) {
        let oldest = self.oldest_end();
        self.history.floor.fetch_max(oldest, Ordering::Relaxed);
        self.history.limit.store(limit, Ordering::Relaxed);
    }

    fn trim(&self, index: usize) {
        let cells = self.cells.get();
        let cell = cells.and_then(|cells| cells[index].upgrade());
        if let Some(cell) = cell {
            drop(cell.trim());
        }
    }
}

impl Counter {
    /// Gives a number; to be called under the lock of the shard that it is for.
    fn take(&self) -> u64 {
        // Release: pairs with the acquire of `read`. Whoever reads a larger number and then locks the shard gets that lock
        // after the one under which this was called.
        self.0.fetch_add(1, Ordering::Release)
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// Enough that two threads seldom meet, and few enough that a page has not many to look into.
pub(super) const SHARDS: usize = 16;
/// How many ends there are between two looks into shards that need not be their own.
const TRIM_EVERY: u64 = 8;
/// Ends that are taken out under one lock.
const AT_A_TIME: usize = 64;
