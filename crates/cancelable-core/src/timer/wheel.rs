//! A hierarchical timing wheel: keeps payloads by tick and gives back those that are due; no clock, no lock, no thread.
//!
//! A tick is read as eleven digits of six bits, enough for every `u64`. An entry lies on the level of the highest digit
//! in which its tick differs from [`Wheel::elapsed`], in the slot that this digit names. So level 0 tells single ticks
//! apart, and a slot of level n spans 64^n ticks. When the wheel enters the span of a slot above level 0, the entries in
//! it go down to where they belong now: each entry at most ten times, whatever its distance.
//!
//! # Invariants
//!
//! 1. **No entry is before `elapsed`.** What is inserted for the past lies at `elapsed` itself.
//! 2. **An entry differs from `elapsed` in the digit of its level, not above it**, except in the slot that is being
//!    emptied (`descending`). So within a level slots never wrap round, the lowest occupied slot of the lowest occupied
//!    level is the first to come, and no search goes further than one `trailing_zeros` a level.
//! 3. **While a slot descends `elapsed` stands at the start of its span**, and nothing falls due before it is empty. So
//!    payloads leave in the order of their ticks even if an advance is cut short.
//! 4. **A slot's list is in the order of insertion**, and descending keeps it. So equal ticks leave in that order, apart
//!    from what is inserted while an advance is cut short.
//! 5. **A serial number is given once.** So a stale [`Key`] finds either nothing or an entry with another serial.
//! 6. **A place in the slab is in exactly one list**: a slot's, or that of the free places. So the slab is as long as the
//!    largest number of entries that there have been at a time.

#[cfg(test)]
mod tests;

use std::num::NonZeroU64;

/// Payloads by tick.
pub(crate) struct Wheel<T> {
    /// The tick up to which everything has been given back.
    elapsed: u64,
    /// A bit for each slot of a level, set while the slot has entries.
    occupied: [u64; LEVELS],
    slots: [List; LEVELS * SLOTS],
    /// The slot above level 0 whose span has been entered and whose entries are on their way down.
    descending: Option<u16>,
    entries: Vec<Entry<T>>,
    /// The first of the free places in `entries`, which are linked by `next`.
    free: u32,
    /// The serial number of the next entry.
    serial: NonZeroU64,
}

/// Names one entry of a [`Wheel`], also long after it has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    serial: NonZeroU64,
}

struct Entry<T> {
    at: u64,
    /// `None` while the place is free.
    serial: Option<NonZeroU64>,
    previous: u32,
    next: u32,
    slot: u16,
    payload: Option<T>,
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

impl<T> Wheel<T> {
    pub(crate) const fn new() -> Self {
        Self {
            elapsed: 0,
            occupied: [0; LEVELS],
            slots: [List::EMPTY; LEVELS * SLOTS],
            descending: None,
            entries: Vec::new(),
            free: NIL,
            serial: NonZeroU64::MIN,
        }
    }

    /// Keeps `payload` until the tick `at`; what is in the past is due at the next advance.
    pub(crate) fn insert(&mut self, at: u64, payload: T) -> Key {
        let serial = self.serial;
        self.serial = serial.checked_add(1).expect("nobody inserts 2^64 times");
        let entry = Entry {
            at: at.max(self.elapsed),
            serial: Some(serial),
            previous: NIL,
            next: NIL,
            slot: 0,
            payload: Some(payload),
        };
        let index = self.free;
        let index = if index == NIL {
            let index = u32::try_from(self.entries.len())
                .ok()
                .filter(|&index| index != NIL);
            self.entries.push(entry);
            index.expect("fewer than 2^32 - 1 entries fit into memory")
        } else {
            self.free = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            index
        };
        self.link(index);
        Key { index, serial }
    }

    /// Gives back the payload of `key`, unless that has left already.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let entry = self.entries.get(key.index as usize)?;
        (entry.serial == Some(key.serial)).then(|| self.take(key.index))
    }

    /// The tick at which to advance next; `None` if the wheel is empty.
    ///
    /// It is never later than the first entry's tick, apart from those inserted for the past, for which it is the present.
    /// It may be earlier, when entries have to descend; on the way to one entry that happens at most ten times.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        self.first_slot().map(|slot| self.start_of(slot))
    }

    /// Moves what is due at `now` to `due`, in the order of the ticks; true when there is no more.
    ///
    /// After `limit` steps it stops short and returns false, so that a million entries that fall due at once need not
    /// leave under one lock. A step is one entry given back or moved down a level.
    pub(crate) fn advance(&mut self, now: u64, due: &mut Vec<T>, limit: usize) -> bool {
        for _ in 0..limit {
            let first = self.first_slot().map(|slot| (slot, self.start_of(slot)));
            let Some((slot, start)) = first.filter(|&(_, start)| start <= now) else {
                self.elapsed = self.elapsed.max(now);
                return true;
            };
            self.elapsed = self.elapsed.max(start);
            let index = self.slots[usize::from(slot)].head;
            if level_of(slot) == 0 {
                due.push(self.take(index));
            } else {
                // Unlinking the last entry ends the descent.
                self.descending = Some(slot);
                self.unlink(index);
                self.link(index);
            }
        }
        false
    }

    /// The slot that is to be emptied first, by invariants 2 and 3.
    fn first_slot(&self) -> Option<u16> {
        self.descending.or_else(|| {
            let level = self.occupied.iter().position(|&slots| slots != 0)?;
            Some(slot_at(
                level,
                self.occupied[level].trailing_zeros() as usize,
            ))
        })
    }

    /// The first tick of a slot's span: the digits of `elapsed` above the slot's level, then the slot, then zeros.
    fn start_of(&self, slot: u16) -> u64 {
        let shift = level_of(slot) as u32 * BITS;
        let above = u64::MAX.unbounded_shl(shift + BITS);
        (self.elapsed & above) | ((usize::from(slot) % SLOTS) as u64) << shift
    }

    /// Appends an entry to the slot in which it belongs by invariant 2.
    fn link(&mut self, index: u32) {
        let at = self.entries[index as usize].at;
        let level = ((self.elapsed ^ at) | 1).ilog2() / BITS;
        let digit = (at >> (level * BITS)) as usize % SLOTS;
        let slot = slot_at(level as usize, digit);

        let list = &mut self.slots[usize::from(slot)];
        let previous = std::mem::replace(&mut list.tail, index);
        if previous == NIL {
            list.head = index;
            self.occupied[level as usize] |= 1 << digit;
        } else {
            self.entries[previous as usize].next = index;
        }
        let entry = &mut self.entries[index as usize];
        entry.previous = previous;
        entry.next = NIL;
        entry.slot = slot;
    }

    fn unlink(&mut self, index: u32) {
        let &Entry {
            previous,
            next,
            slot,
            ..
        } = &self.entries[index as usize];
        let list = &mut self.slots[usize::from(slot)];
        if previous == NIL {
            list.head = next;
        } else {
            self.entries[previous as usize].next = next;
        }
        if next == NIL {
            list.tail = previous;
        } else {
            self.entries[next as usize].previous = previous;
        }
        if list.head == NIL {
            self.occupied[level_of(slot)] &= !(1 << (usize::from(slot) % SLOTS));
            if self.descending == Some(slot) {
                self.descending = None;
            }
        }
    }

    /// Unlinks an entry and frees its place.
    fn take(&mut self, index: u32) -> T {
        self.unlink(index);
        let entry = &mut self.entries[index as usize];
        entry.serial = None;
        entry.next = self.free;
        self.free = index;
        entry
            .payload
            .take()
            .expect("an entry in a slot's list has a payload")
    }
}

impl List {
    const EMPTY: Self = Self {
        head: NIL,
        tail: NIL,
    };
}

fn slot_at(level: usize, digit: usize) -> u16 {
    (level * SLOTS + digit) as u16
}

fn level_of(slot: u16) -> usize {
    usize::from(slot) / SLOTS
}

/// Bits of a digit.
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// Eleven digits of six bits hold the 64 bits of a tick.
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;
/// The index that names no entry.
const NIL: u32 = u32::MAX;
