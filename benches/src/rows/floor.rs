//! What the machine's own primitives cost: no row can be below what it is made of.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::{Row, repeat, row};
use crate::Effort;
use crate::sampling::one_thread;
use crate::table::{Measured, Unit, Verdict};

pub(crate) static ROWS: &[Row] = &[
    row("floor: atomic load", |effort| {
        let word = AtomicU8::new(0);
        floor(
            effort,
            &mut repeat!(black_box(&word).load(Ordering::Acquire)),
        )
    }),
    row("floor: atomic read-modify-write", |effort| {
        let word = AtomicU8::new(0);
        floor(
            effort,
            &mut repeat!(black_box(&word).fetch_or(1, Ordering::AcqRel)),
        )
    }),
    row("floor: `Arc` clone + drop", |effort| {
        let arc = Arc::new(0_u64);
        floor(effort, &mut repeat!(Arc::clone(black_box(&arc))))
    }),
    row("floor: lock + unlock", |effort| {
        let mutex = Mutex::new(0_u64);
        floor(effort, &mut repeat!(*black_box(&mutex).lock()))
    }),
    row("floor: allocate 72 bytes + free", |effort| {
        floor(effort, &mut repeat!(Box::new([0_u64; 9])))
    }),
    row("floor: clock reading", |effort| {
        floor(effort, &mut repeat!(Instant::now()))
    }),
];

fn floor(effort: &Effort, side: &mut dyn FnMut(u64)) -> Measured {
    Measured {
        theirs: None,
        ours: one_thread(effort, [side]).median(0),
        unit: Unit::Nanoseconds,
        ratio: None,
        reach: String::new(),
        verdict: Verdict::Given,
    }
}
