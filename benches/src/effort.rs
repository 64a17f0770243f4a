//! How long to measure.

use std::time::Duration;

/// How long to measure: the number and length of samples, and the size of what is large.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Samples of each side of a row.
    pub(crate) samples: usize,
    /// How long one sample is to take. The clock's own ~30 ns are lost in it, and it is short enough that most samples fit
    /// between two interruptions by the scheduler.
    pub(crate) sample: Duration,
    /// Processes for each side of a row that is measured in processes of its own.
    pub(crate) processes: usize,
    /// What numbers of children are divided by.
    pub(crate) shrink: usize,
    /// Whether the figures mean something.
    pub(crate) is_timed: bool,
}

impl Effort {
    /// For figures to publish.
    #[must_use]
    pub fn full() -> Self {
        Self {
            samples: 501,
            sample: Duration::from_micros(200),
            processes: 7,
            shrink: 1,
            is_timed: true,
        }
    }

    /// For a first impression.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            samples: 51,
            sample: Duration::from_micros(100),
            processes: 3,
            shrink: 1,
            is_timed: true,
        }
    }

    /// For no figures at all: every effect is checked once.
    #[must_use]
    pub fn check() -> Self {
        Self {
            samples: 1,
            sample: Duration::ZERO,
            processes: 1,
            shrink: 1_000,
            is_timed: false,
        }
    }

    /// A number of children, by this effort.
    pub(crate) fn children(&self, number: usize) -> usize {
        number.div_ceil(self.shrink)
    }
}
