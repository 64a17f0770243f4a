//! Sampling the sides of a row in turn, so that what disturbs the machine disturbs them alike.

use std::time::Instant;

use crate::Effort;

/// The sides of a row, in the order of the table's columns.
pub(crate) const THEIRS: usize = 0;
/// See [`THEIRS`].
pub(crate) const OURS: usize = 1;
/// What both do beside the thing that is measured, where that is to be taken off.
pub(crate) const BARE: usize = 2;

/// Nanoseconds an operation of each side, sample by sample.
pub(crate) struct Samples<const N: usize>([Vec<f64>; N]);

impl<const N: usize> Samples<N> {
    /// Takes samples in turn; `sample` runs a side for a number of rounds and says how many nanoseconds that took.
    pub(crate) fn take(effort: &Effort, mut sample: impl FnMut(usize, u64) -> f64) -> Self {
        let rounds: [u64; N] =
            std::array::from_fn(|side| rounds(effort, |rounds| sample(side, rounds)));
        let mut samples = [(); N].map(|()| Vec::with_capacity(effort.samples));
        for turn in 0..effort.samples {
            for place in 0..N {
                // The one that goes first changes, so that none always comes after the same other.
                let side = (place + turn) % N;
                samples[side].push(sample(side, rounds[side]) / rounds[side] as f64);
            }
        }
        Self(samples)
    }

    pub(crate) fn median(&self, side: usize) -> f64 {
        median(self.0[side].clone())
    }

    /// The median of what a side cost more than another one in the same turn.
    pub(crate) fn median_over(&self, side: usize, bare: usize) -> f64 {
        median(
            self.0[side]
                .iter()
                .zip(&self.0[bare])
                .map(|(side, bare)| side - bare)
                .collect(),
        )
    }

    /// The median of the ratios of the same turn, which is steadier than the ratio of the medians.
    pub(crate) fn median_ratio(&self) -> f64 {
        median(
            self.0[OURS]
                .iter()
                .zip(&self.0[THEIRS])
                .map(|(ours, theirs)| ours / theirs)
                .collect(),
        )
    }
}

/// Samples on this thread. A side is a function that runs the operation a number of times.
pub(crate) fn one_thread<const N: usize>(
    effort: &Effort,
    mut sides: [&mut dyn FnMut(u64); N],
) -> Samples<N> {
    Samples::take(effort, |side, rounds| time(|| sides[side](rounds)))
}

/// The nanoseconds that `f` takes.
pub(crate) fn time(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_nanos() as f64
}

/// How many rounds fill a sample.
fn rounds(effort: &Effort, mut sample: impl FnMut(u64) -> f64) -> u64 {
    let wanted = effort.sample.as_nanos() as f64;
    let mut rounds = 1;
    // The shortest of three, since an interruption must not pass for a slow operation.
    while (0..3).map(|_| sample(rounds)).fold(f64::MAX, f64::min) < wanted {
        rounds *= 2;
    }
    rounds
}

/// The median; the mean of the middle two where there are two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
