//! [`Report`], what a sweep has tried.

use std::fmt;

use super::way::Way;

/// What a [`Sweep`](crate::Sweep) has tried, all of which went well.
///
/// It prints as `7 awaits: dropped 8 times, dropped on being woken 7 times, cancelled 8 times`.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) awaits: usize,
    pub(super) is_whole: bool,
    pub(super) runs: Vec<(Way, usize)>,
}

impl Report {
    /// How many awaits there are, at each of which the future was cancelled; the most, if in an operation there are more or
    /// fewer of them.
    pub fn awaits(&self) -> usize {
        self.awaits
    }

    /// Whether these are all; `false` if there are more than [`at_most`](crate::Sweep::at_most) allowed.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// How often the future was run and cancelled, in all ways. Those that were left alone do not count.
    pub fn runs(&self) -> usize {
        self.runs.iter().map(|(_, runs)| runs).sum()
    }

    /// How often it was cancelled in this way.
    pub fn runs_of(&self, way: Way) -> usize {
        let of_way = self.runs.iter().filter(|(other, _)| *other == way);
        of_way.map(|(_, runs)| runs).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.is_whole { "" } else { " and more" };
        let awaits = if self.awaits == 1 { "await" } else { "awaits" };
        write!(f, "{} {awaits}{more}", self.awaits)?;
        for (index, (way, runs)) in self.runs.iter().enumerate() {
            let before = if index == 0 { ":" } else { "," };
            let times = if *runs == 1 { "time" } else { "times" };
            write!(f, "{before} {way} {runs} {times}")?;
        }
        Ok(())
    }
}
