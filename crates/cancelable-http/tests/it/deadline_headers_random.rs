//! A million inputs that look random against a reader that is written another way, and round trips.

use std::time::Duration;

use cancelable_http::{DeadlineHeader, DeadlineHeaders};
use http::HeaderValue;
use proptest::prelude::*;

use DeadlineHeader::Grpc;

const INPUTS: u32 = 1_000_000;

#[test]
fn law_w5_random_inputs_are_read_as_a_naive_reader_reads_them() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let reads = DeadlineHeaders::all();
    let mut valid = 0;
    let mut counted = 0;
    let mut value = Vec::new();
    for round in 0..INPUTS {
        let header = dice.pick(&DeadlineHeader::ALL);
        value.clear();
        match dice.below(4) {
            0 => bytes(&mut dice, &mut value),
            1 => mutated(&mut dice, header, &mut value),
            _ => well_formed(&mut dice, header, &mut value),
        }
        let expected = naive(header, &value);
        let field = (header.name().as_bytes(), &value[..]);
        let read = reads.read_pairs([field]);
        assert_eq!(
            read,
            expected,
            "round {round}: {header:?} {}",
            value.escape_ascii()
        );
        // Not every byte may stand in a header.
        if let Ok(sent) = HeaderValue::from_bytes(&value) {
            let sent = [(header.name().parse().unwrap(), sent)];
            let map = sent.into_iter().collect();
            assert_eq!(reads.read(&map), expected, "round {round}");
            counted += u64::from(expected.is_none());
        }
        valid += u32::from(expected.is_some());
        counted += u64::from(expected.is_none());
    }
    assert_eq!(reads.malformed(), counted);
    // The mix is one: neither kind is an exception.
    assert!((INPUTS / 3..INPUTS * 2 / 3).contains(&valid), "{valid}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_x1_proptest_what_is_read_back_is_never_more(
        secs in prop_oneof![0..3_u64, 0..200_000_u64, any::<u64>()],
        nanos in 0..1_000_000_000_u32,
        header in prop::sample::select(&DeadlineHeader::ALL[..]),
    ) {
        let remaining = Duration::new(secs, nanos);
        match header.write(remaining) {
            Ok(written) => {
                let read = header.parse(written.as_bytes()).expect("what we write is read");
                prop_assert!(Duration::ZERO < read && read <= remaining);
                // It loses less than the unit that it is written in, unless it says the most that it can.
                let most = header.write(Duration::MAX);
                let is_exact = remaining - read < unit(&written);
                prop_assert!(is_exact || Ok(&written) == most.as_ref(), "{} of {:?}", written, remaining);
            }
            Err(_) => prop_assert!(remaining < finest(header)),
        }
    }

    #[test]
    fn law_x1_proptest_a_deadline_only_shrinks_from_hop_to_hop(
        millis in 0..200_000_000_u64,
        spent in prop::collection::vec((0..50_000_000_u64, prop::sample::select(&DeadlineHeader::ALL[..])), 1..8),
    ) {
        let mut remaining = Duration::from_millis(millis);
        for (spent, header) in spent {
            let left = remaining.saturating_sub(Duration::from_micros(spent));
            let Ok(written) = header.write(left) else { break };
            let field = (header.name().as_bytes(), written.as_bytes());
            let read = DeadlineHeaders::all().read_pairs([field]).expect("it is read");
            prop_assert!(read <= left && left <= remaining);
            remaining = read;
        }
    }
}

/// Another reader of the same grammar: by text and wide numbers.
fn naive(header: DeadlineHeader, value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?;
    let (digits, nanos, most) = match header {
        Grpc => {
            let (at, unit) = text.char_indices().last()?;
            (&text[..at], nanos(unit)?, 8)
        }
        DeadlineHeader::Envoy => (text, 1_000_000, 20),
        _ => (text, 1_000_000, 10),
    };
    if !digits.chars().all(|digit| "0123456789".contains(digit)) || digits.len() > most {
        return None;
    }
    let number: u128 = digits.parse().ok()?;
    let total = u64::try_from(number).map(u128::from).ok()? * nanos;
    let (secs, rest) = (total / 1_000_000_000, total % 1_000_000_000);
    Some(Duration::new(secs.try_into().ok()?, rest.try_into().ok()?))
}

fn nanos(unit: char) -> Option<u128> {
    match unit {
        'n' => Some(1),
        'u' => Some(1_000),
        'm' => Some(1_000_000),
        'S' => Some(1_000_000_000),
        'M' => Some(60_000_000_000),
        'H' => Some(3_600_000_000_000),
        _ => None,
    }
}

fn unit(written: &str) -> Duration {
    let letter = written.chars().last().expect("something is written");
    let nanos = nanos(letter).unwrap_or(1_000_000);
    Duration::from_nanos(nanos.try_into().expect("an hour fits"))
}

fn finest(header: DeadlineHeader) -> Duration {
    match header {
        Grpc => Duration::from_nanos(1),
        _ => Duration::from_millis(1),
    }
}

fn well_formed(dice: &mut Dice, header: DeadlineHeader, value: &mut Vec<u8>) {
    let most = match header {
        Grpc => 8,
        DeadlineHeader::Envoy => 20,
        _ => 10,
    };
    for _ in 0..=dice.below(most) {
        value.push(dice.pick(b"0123456789"));
    }
    if header == Grpc {
        value.push(dice.pick(b"HMSmun"));
    }
}

/// A value of this or another header with a byte changed, put in, taken out, or said twice.
fn mutated(dice: &mut Dice, header: DeadlineHeader, value: &mut Vec<u8>) {
    let header = if dice.below(4) == 0 {
        dice.pick(&DeadlineHeader::ALL)
    } else {
        header
    };
    well_formed(dice, header, value);
    let at = dice.below(value.len());
    let odd = dice.pick(b"+- \t.,eE_x0179HMSmunsh\0\xb5\xd9\xff");
    match dice.below(4) {
        0 => value[at] = odd,
        1 => value.insert(at, odd),
        2 => drop(value.remove(at)),
        _ => value.extend_from_within(at..),
    }
}

fn bytes(dice: &mut Dice, value: &mut Vec<u8>) {
    for _ in 0..dice.below(24) {
        value.push(dice.byte());
    }
}

/// Numbers that look random and are the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits fit") % limit
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("it is below 256")
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}
