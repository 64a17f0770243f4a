//! [`Resources`], what is watched; and the source that watches it.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use cancelable_core::{Cancellation, Origin};
use cancelable_machine::SHORTEST_CPU_INTERVAL;

use super::error::{InvalidResources, What};
use super::judge::{Judge, Resource, Threshold};
use super::sampler::{Sampler, machine};
use crate::source::Source;
use crate::source::condition::ask;

/// From where on the machine's resources are too full to go on; for [`resources`].
///
/// Each threshold is a percentage above 0 and up to 100, and is exceeded when the resource is as full as that or fuller.
#[derive(Clone, Debug)]
#[must_use = "nothing is watched until an operation is given `resources(..)`"]
pub struct Resources {
    thresholds: Vec<Threshold>,
    disk_path: Option<PathBuf>,
    sustained_for: Duration,
    interval: Duration,
}

impl Default for Resources {
    fn default() -> Self {
        Self::new()
    }
}

impl Resources {
    /// Nothing yet, to be looked at every five seconds.
    pub fn new() -> Self {
        Self {
            thresholds: Vec::new(),
            disk_path: None,
            sustained_for: Duration::ZERO,
            interval: Duration::from_secs(5),
        }
    }

    /// The share of the machine's memory that no program could be given any more, in percent.
    pub fn memory_above(self, percent: f64) -> Self {
        self.threshold(Resource::Memory, percent)
    }

    /// The use of all processors together since the last look, in percent: 50 is half of them busy. The first look only
    /// begins to measure.
    pub fn cpu_above(self, percent: f64) -> Self {
        self.threshold(Resource::Cpu, percent)
    }

    /// The share of the file system that unprivileged users have used up, in percent, as `df` shows it.
    pub fn disk_above(self, percent: f64) -> Self {
        self.threshold(Resource::Disk, percent)
    }

    /// A file or folder on the file system that [`disk_above`](Self::disk_above) is about. Unless said, `/`.
    pub fn disk_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.disk_path = Some(path.into());
        self
    }

    /// How long a threshold has to be exceeded, at every look in between; the first look is enough unless said. A look that
    /// fails tells nothing either way.
    pub fn sustained_for(mut self, time: Duration) -> Self {
        self.sustained_for = time;
        self
    }

    /// The time from one look to the next.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    fn threshold(mut self, resource: Resource, percent: f64) -> Self {
        // Of several for one resource the last counts.
        self.thresholds.retain(|other| other.resource != resource);
        self.thresholds.push(Threshold { resource, percent });
        self
    }

    fn check(&self) -> Result<(), What> {
        for threshold in &self.thresholds {
            // Not a number is outside too.
            if !(threshold.percent > 0.0 && threshold.percent <= 100.0) {
                return Err(What::Percent(*threshold));
            }
        }
        let has = |resource| {
            let mut all = self.thresholds.iter();
            all.any(|threshold| threshold.resource == resource)
        };
        if self.thresholds.is_empty() {
            return Err(What::NoThreshold);
        }
        if self.interval.is_zero() || has(Resource::Cpu) && self.interval < SHORTEST_CPU_INTERVAL {
            return Err(What::Interval(self.interval));
        }
        match &self.disk_path {
            Some(path) if !has(Resource::Disk) => Err(What::DiskPathAlone(path.clone())),
            Some(_) | None => Ok(()),
        }
    }

    /// The same with whatever reads the machine.
    pub(super) fn watch(self, sampler: impl Sampler) -> Result<ResourceSource, InvalidResources> {
        self.check()?;
        let judge = Judge::new(self.thresholds, self.sustained_for);
        let name = judge.name();
        Ok(ResourceSource {
            name: name.clone(),
            watching: Box::pin(watch(name, self.interval, judge, sampler)),
        })
    }
}

/// A source that fires with reason [`Condition`](crate::Reason::Condition) when the machine is too full.
///
/// It is looked at when the body first has to wait, and then again and again, on the runtime's pool of blocking threads, as a
/// [condition](crate::source::condition) is. A look that fails is logged, counted and repeated.
///
/// ```
/// use cancelable::Cancelable;
/// use cancelable::source::{Resources, resources};
/// use std::time::Duration;
///
/// let full = Resources::new()
///     .memory_above(90.0)
///     .disk_above(95.0)
///     .disk_path("/")
///     .sustained_for(Duration::from_secs(30));
/// let plan = Cancelable::new().source(resources(full)?);
///
/// let refused = resources(Resources::new().memory_above(120.0)).unwrap_err();
/// assert_eq!(refused.to_string(), "memory_above is 120: give a percentage above 0 and up to 100");
/// # drop(plan);
/// # Ok::<(), cancelable::source::InvalidResources>(())
/// ```
///
/// # Errors
///
/// If there is no threshold, or one outside of its range; if the interval is zero, or shorter than 200 ms where the use of
/// processors is watched; if the path of the disk cannot be read, or no threshold goes with it.
pub fn resources(what: Resources) -> Result<ResourceSource, InvalidResources> {
    what.check()?;
    let machine = machine(&what.thresholds, what.disk_path.as_deref())?;
    what.watch(machine)
}

/// A source that fires when the machine is too full; made by [`resources`].
#[must_use = "a source does nothing unless an operation is given it"]
pub struct ResourceSource {
    name: String,
    watching: Pin<Box<dyn Future<Output = Cancellation> + Send>>,
}

/// Looks again and again, on the blocking pool, until the judge has seen enough.
async fn watch(
    name: String,
    interval: Duration,
    mut judge: Judge,
    mut sampler: impl Sampler,
) -> Cancellation {
    let look = move || {
        let sample = sampler.sample()?;
        // The runtime's clock, also on a thread of its pool.
        Ok(judge.judge(&sample, tokio::time::Instant::now()))
    };
    let (verdict, _) = ask(&name, interval, look).await;
    Cancellation::from_origin(Origin::condition(verdict.name)).with_message(verdict.message)
}

impl Future for ResourceSource {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        self.watching.as_mut().poll(cx)
    }
}

impl Source for ResourceSource {
    fn name(&self) -> String {
        self.name.clone()
    }
}

impl fmt::Debug for ResourceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResourceSource").field(&self.name).finish()
    }
}
