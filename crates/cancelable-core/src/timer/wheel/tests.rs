//! The wheel against a naive model, and at every border.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Key, LEVELS, Wheel};

impl<T> Wheel<T> {
    /// Counted anew each time, since nothing but tests asks.
    pub(crate) fn len(&self) -> usize {
        let is_taken = |entry: &&super::Entry<T>| entry.serial.is_some();
        self.entries.iter().filter(is_taken).count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Advances as far as it goes and gives back what was due.
fn advance<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
    let mut due = Vec::new();
    assert!(wheel.advance(now, &mut due, usize::MAX));
    due
}

/// The ticks at which a level begins, with their neighbours, and both ends.
fn borders() -> Vec<u64> {
    let mut borders: Vec<u64> = (0..LEVELS as u32)
        .map(|level| 1 << (level * 6))
        .flat_map(|border: u64| {
            [
                border - 1,
                border,
                border + 1,
                border.saturating_mul(63),
                border.saturating_mul(64) - 1,
            ]
        })
        .chain([u64::MAX - 1, u64::MAX])
        .collect();
    borders.sort_unstable();
    borders.dedup();
    borders
}

/// From `from`, an entry at `at` is never due a tick early, is due in time, and is looked for at most eleven times.
#[track_caller]
fn check(from: u64, at: u64) {
    let mut wheel = Wheel::new();
    advance::<u64>(&mut wheel, from);
    wheel.insert(at, at);
    let mut looks = 0;
    while let Some(tick) = wheel.next_expiry() {
        looks += 1;
        assert!(looks <= LEVELS, "{from} → {at}: looked for too often");
        assert!(
            from <= tick && tick <= at.max(from),
            "{from} → {at}: wanted at {tick}"
        );
        let due = advance(&mut wheel, tick);
        assert_eq!(
            due.is_empty(),
            tick < at.max(from),
            "{from} → {at}: at {tick}"
        );
    }
    assert!(looks > 0 && wheel.is_empty());

    // The same without looking in between: first just before it, then past it.
    let mut wheel = Wheel::new();
    advance::<u64>(&mut wheel, from);
    wheel.insert(at, at);
    if at > from {
        assert_eq!(
            advance(&mut wheel, at - 1).len(),
            0,
            "{from} → {at}: a tick early"
        );
    }
    assert_eq!(
        advance(&mut wheel, u64::MAX),
        [at],
        "{from} → {at}: long after"
    );
}

#[test]
fn borders_of_levels() {
    for &from in &borders() {
        for &at in &borders() {
            check(from, at);
            check(from, from.saturating_add(at));
        }
    }
}

#[test]
fn the_past_and_the_present_are_due_at_once() {
    let mut wheel = Wheel::new();
    advance(&mut wheel, 1000);
    for at in [1000, 0, 999] {
        wheel.insert(at, at);
    }
    assert_eq!(wheel.next_expiry(), Some(1000));
    assert_eq!(
        advance(&mut wheel, 0).len(),
        0,
        "a clock that goes back makes nothing due"
    );
    assert_eq!(advance(&mut wheel, 1000), [1000, 0, 999]);
}

#[test]
fn equal_ticks_leave_in_the_order_of_insertion() {
    let mut wheel = Wheel::new();
    for payload in 0..10 {
        wheel.insert(5000, payload);
    }
    // The rest comes when the first ten have gone down two levels.
    advance(&mut wheel, 4999);
    for payload in 10..20 {
        wheel.insert(5000, payload);
    }
    assert_eq!(advance(&mut wheel, 5000), (0..20).collect::<Vec<_>>());
}

#[test]
fn stale_keys_find_nothing() {
    let mut wheel = Wheel::new();
    let removed = wheel.insert(10, "removed");
    assert_eq!(wheel.remove(removed), Some("removed"));
    assert_eq!(wheel.remove(removed), None);

    let expired = wheel.insert(10, "expired");
    assert_eq!(expired.index, removed.index);
    assert_eq!(wheel.remove(removed), None, "its place is another's now");
    assert_eq!(advance(&mut wheel, 10), ["expired"]);
    assert_eq!(wheel.remove(expired), None);

    let last = wheel.insert(20, "last");
    assert_eq!(wheel.remove(removed), None);
    assert_eq!(wheel.remove(expired), None);
    assert_eq!(wheel.remove(last), Some("last"));
}

#[test]
fn keys_of_another_wheel_do_no_harm() {
    let mut full = Wheel::new();
    let key = full.insert(1, ());
    assert_eq!(Wheel::<()>::new().remove(key), None);
}

#[test]
fn law_t6_a_million_leave_nothing_behind() {
    let mut wheel = Wheel::new();
    // Ten are alive at a time; some are removed, some expire.
    let mut alive: Vec<Key> = (0..9).map(|tick| wheel.insert(tick * 1000, tick)).collect();
    for round in 0..1_000_000_u64 {
        alive.push(wheel.insert(round + round % 10_000, round));
        if round % 3 == 0 {
            advance(&mut wheel, round / 2);
        }
        wheel.remove(alive.swap_remove((round % 10) as usize));
        assert!(wheel.len() <= 10);
    }
    for key in alive {
        wheel.remove(key);
    }
    assert_eq!(wheel.len(), 0);
    assert_eq!(wheel.next_expiry(), None);
    assert_eq!(wheel.occupied, [0; LEVELS]);
    assert_eq!(wheel.entries.len(), 10);
    assert!(
        wheel.entries.capacity() <= 20,
        "{}",
        wheel.entries.capacity()
    );
}

#[test]
fn the_limit_bounds_each_turn() {
    let mut wheel = Wheel::new();
    for payload in 0..100 {
        wheel.insert(100, payload);
    }
    // A hundred go down from level 1, then a hundred are given back.
    let mut due = Vec::new();
    for turn in 0..20 {
        assert!(!wheel.advance(100, &mut due, 10));
        assert_eq!(due.len(), if turn < 10 { 0 } else { (turn - 9) * 10 });
    }
    assert!(wheel.advance(100, &mut due, 10));
    assert_eq!(due, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_descent_that_was_cut_short_ends_with_its_last_entry() {
    let mut wheel = Wheel::new();
    let keys = [wheel.insert(100, 'a'), wheel.insert(101, 'b')];
    assert!(!wheel.advance(99, &mut Vec::new(), 1));
    assert_eq!(wheel.next_expiry(), Some(64), "half way down");
    assert_eq!(wheel.remove(keys[1]), Some('b'));
    assert_eq!(wheel.next_expiry(), Some(100));
    assert_eq!(advance(&mut wheel, 100), ['a']);
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Tick),
    /// Removes by one of all keys that there have ever been.
    Remove(prop::sample::Index),
    Advance(Tick),
    /// Advances to where the wheel wants to be looked at.
    AdvanceToNext,
    /// Advances, but only so many steps.
    AdvancePartly(Tick, usize),
}

#[derive(Clone, Debug)]
enum Tick {
    Ahead(u64),
    Behind(u64),
    At(u64),
}

impl Tick {
    fn from(&self, now: u64) -> u64 {
        match *self {
            Self::Ahead(by) => now.saturating_add(by),
            Self::Behind(by) => now.saturating_sub(by),
            Self::At(tick) => tick,
        }
    }
}

fn tick() -> impl Strategy<Value = Tick> {
    prop_oneof![
        8 => (0..200_u64).prop_map(Tick::Ahead),
        2 => (0..10_000_000_u64).prop_map(Tick::Ahead),
        2 => prop::sample::select(borders()).prop_map(Tick::Ahead),
        2 => (0..5000_u64).prop_map(Tick::Behind),
        1 => (0..8000_u64).prop_map(Tick::At),
    ]
}

fn far_tick() -> impl Strategy<Value = Tick> {
    prop_oneof![
        10 => tick(),
        1 => any::<u64>().prop_map(Tick::At),
        1 => prop::sample::select(borders()).prop_map(Tick::At),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => far_tick().prop_map(Op::Insert),
        3 => any::<prop::sample::Index>().prop_map(Op::Remove),
        2 => tick().prop_map(Op::Advance),
        2 => Just(Op::AdvanceToNext),
    ]
}

fn op_or_part() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => op(),
        2 => (tick(), 1..6_usize).prop_map(|(tick, limit)| Op::AdvancePartly(tick, limit)),
    ]
}

/// What the wheel should hold: payloads by tick, then by the order of insertion, which their number is.
#[derive(Default)]
struct Model {
    entries: BTreeMap<(u64, usize), Key>,
    /// By number: the key, and the tick.
    keys: Vec<(Key, u64)>,
}

impl Model {
    fn run(ops: &[Op], same_order: bool) {
        let mut model = Self::default();
        let mut wheel = Wheel::new();
        let mut peak = 0;
        for op in ops {
            let now = wheel.elapsed;
            match op {
                Op::Insert(tick) => {
                    let number = model.keys.len();
                    let at = tick.from(now);
                    let key = wheel.insert(at, number);
                    model.entries.insert((at.max(now), number), key);
                    model.keys.push((key, at.max(now)));
                    peak = peak.max(model.entries.len());
                }
                Op::Remove(_) if model.keys.is_empty() => {}
                Op::Remove(index) => {
                    let number = index.index(model.keys.len());
                    let (key, at) = model.keys[number];
                    let expected = model.entries.remove(&(at, number)).map(|_| number);
                    assert_eq!(wheel.remove(key), expected);
                }
                Op::Advance(tick) => {
                    model.advance(&mut wheel, tick.from(now), usize::MAX, same_order)
                }
                Op::AdvanceToNext => {
                    let next = wheel.next_expiry().unwrap_or(now);
                    model.advance(&mut wheel, next, usize::MAX, same_order);
                }
                Op::AdvancePartly(tick, limit) => {
                    model.advance(&mut wheel, tick.from(now), *limit, same_order);
                }
            }
            model.check(&wheel, peak);
        }
        model.advance(&mut wheel, u64::MAX, usize::MAX, same_order);
        assert!(wheel.is_empty() && model.entries.is_empty());
    }

    fn advance(&mut self, wheel: &mut Wheel<usize>, now: u64, limit: usize, same_order: bool) {
        let mut due = Vec::new();
        let done = wheel.advance(now, &mut due, limit);
        assert!(due.len() <= limit);
        assert!(done || limit < usize::MAX);
        for number in due {
            let (&(first, expected), _) = self
                .entries
                .first_key_value()
                .expect("something is left to fall due");
            assert!(first <= now, "early");
            assert_eq!(first, self.keys[number].1, "out of order");
            if same_order {
                assert_eq!(number, expected, "equal ticks out of order");
            }
            self.entries
                .remove(&(first, number))
                .expect("falls due once");
        }
        if done {
            assert!(self.entries.keys().all(|&(at, _)| at > now), "late");
        }
    }

    fn check(&self, wheel: &Wheel<usize>, peak: usize) {
        assert_eq!(wheel.len(), self.entries.len());
        assert_eq!(wheel.is_empty(), self.entries.is_empty());
        assert_eq!(wheel.entries.len(), peak, "the slab is as long as the peak");
        let next = wheel.next_expiry();
        match self.entries.first_key_value() {
            None => assert_eq!(next, None),
            Some((&(at, _), _)) => {
                assert!(next.is_some_and(|next| wheel.elapsed <= next && next <= at))
            }
        }
    }
}

proptest! {
    #[test]
    fn does_what_a_sorted_map_does(ops in prop::collection::vec(op(), 0..300)) {
        Model::run(&ops, true);
    }

    #[test]
    fn does_so_too_when_advances_are_cut_short(ops in prop::collection::vec(op_or_part(), 0..300)) {
        Model::run(&ops, false);
    }
}
