//! [`Judge`], which decides by one reading of the machine after the other.

use std::fmt;
use std::time::Duration;

use cancelable_machine::Reading;
use tokio::time::Instant;

/// What there is to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Memory,
    Cpu,
    Disk,
}

impl Resource {
    fn of(self, reading: &Reading) -> Option<f64> {
        match self {
            Self::Memory => reading.memory,
            Self::Cpu => reading.cpu,
            Self::Disk => reading.disk,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Disk => "disk",
        })
    }
}

/// From where on a resource is too full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threshold {
    pub(super) resource: Resource,
    pub(super) percent: f64,
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} above {}%", self.resource, self.percent)
    }
}

/// What is said of the resource that was too full.
pub(super) struct Verdict {
    pub(super) name: String,
    pub(super) message: String,
}

/// Remembers since when each threshold has been exceeded.
pub(super) struct Judge {
    watched: Vec<(Threshold, Option<Instant>)>,
    sustained_for: Duration,
}

impl Judge {
    pub(super) fn new(thresholds: Vec<Threshold>, sustained_for: Duration) -> Self {
        let unexceeded = |threshold| (threshold, None);
        Self {
            watched: thresholds.into_iter().map(unexceeded).collect(),
            sustained_for,
        }
    }

    /// Says what was too full for too long, if anything was.
    pub(super) fn judge(&mut self, reading: &Reading, now: Instant) -> Option<Verdict> {
        let mut verdict = None;
        for (threshold, since) in &mut self.watched {
            let Some(value) = threshold.resource.of(reading) else {
                continue;
            };
            if value < threshold.percent {
                *since = None;
                continue;
            }
            let lasted = now.saturating_duration_since(*since.get_or_insert(now));
            if lasted >= self.sustained_for && verdict.is_none() {
                verdict = Some(Verdict::new(*threshold, value, lasted));
            }
        }
        verdict
    }

    /// What it watches, for people.
    pub(super) fn name(&self) -> String {
        let all = self.watched.iter();
        let names: Vec<_> = all.map(|(threshold, _)| threshold.to_string()).collect();
        let how_long = match self.sustained_for {
            Duration::ZERO => String::new(),
            time => format!(" for {time:?}"),
        };
        format!("resources ({}{how_long})", names.join(", "))
    }
}

impl Verdict {
    fn new(threshold: Threshold, value: f64, lasted: Duration) -> Self {
        let Threshold { resource, percent } = threshold;
        let message = match lasted {
            Duration::ZERO => format!("{resource} is at {value:.1}%, above {percent}%"),
            lasted => format!("{resource} is at {value:.1}%, above {percent}% for {lasted:.1?}"),
        };
        Self {
            name: threshold.to_string(),
            message,
        }
    }
}
