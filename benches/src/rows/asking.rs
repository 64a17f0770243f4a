//! Asking a token, and making, cloning and dropping one.

use std::hint::black_box;

use super::{Ours, Row, Theirs, repeat, row};
use crate::sampling::{OURS, Samples, THEIRS, one_thread};
use crate::table::Measured;
use crate::threads::two_threads;

pub(crate) static ROWS: &[Row] = &[
    row("`is_cancelled`, 1 thread", |effort| {
        let (theirs, ours) = tokens();
        let samples = one_thread(
            effort,
            [
                &mut repeat!(black_box(&theirs).is_cancelled()),
                &mut repeat!(black_box(&ours).is_cancelled()),
            ],
        );
        against(&samples, 0.2)
    }),
    row("`is_cancelled`, 2 threads on one token", |effort| {
        let (theirs, ours) = tokens();
        let samples = two_threads(
            effort,
            [
                &repeat!(black_box(&theirs).is_cancelled()),
                &repeat!(black_box(&ours).is_cancelled()),
            ],
        );
        against(&samples, 0.03)
    }),
    row("clone + drop, 1 thread", |effort| {
        let (theirs, ours) = tokens();
        let samples = one_thread(
            effort,
            [
                &mut repeat!(black_box(&theirs).clone()),
                &mut repeat!(black_box(&ours).clone()),
            ],
        );
        against(&samples, 0.4)
    }),
    row("clone + drop, 2 threads", |effort| {
        let (theirs, ours) = tokens();
        let samples = two_threads(
            effort,
            [
                &repeat!(black_box(&theirs).clone()),
                &repeat!(black_box(&ours).clone()),
            ],
        );
        against(&samples, 0.5)
    }),
    row("new + drop", |effort| {
        tokens();
        let samples = one_thread(
            effort,
            [&mut repeat!(Theirs::new()), &mut repeat!(Ours::new())],
        );
        against(&samples, 0.6)
    }),
];

/// A token of either kind, after two others have shown what a clone, a cancel and the question do.
fn tokens() -> (Theirs, Ours) {
    let (theirs, ours) = (Theirs::new(), Ours::new());
    assert!(!theirs.is_cancelled() && !ours.is_cancelled());
    theirs.clone().cancel();
    ours.clone().cancel();
    assert!(theirs.is_cancelled() && ours.is_cancelled());
    (Theirs::new(), Ours::new())
}

/// The row of plain samples of both sides.
pub(super) fn against<const N: usize>(samples: &Samples<N>, reach: f64) -> Measured {
    Measured::against(
        samples.median(THEIRS),
        samples.median(OURS),
        samples.median_ratio(),
        reach,
    )
}
