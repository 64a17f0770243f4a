//! How long operations took, by their names, in bounded memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

use crate::{OperationContext, serial};

/// How long some operations took. All is zero where there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Durations {
    /// How many there were.
    pub count: u64,
    /// What they took on average.
    #[serde(rename = "mean_seconds", with = "serial::seconds")]
    pub mean: Duration,
    /// What half of them took no longer than, to within two percent; what is below a microsecond counts as nothing.
    #[serde(rename = "p50_seconds", with = "serial::seconds")]
    pub p50: Duration,
    /// What 99 of 100 took no longer than, likewise; of fewer than a hundred that is the longest.
    #[serde(rename = "p99_seconds", with = "serial::seconds")]
    pub p99: Duration,
}

/// How long the operations of a part of the registry took, by their names.
pub(super) struct Recorder {
    by_name: RwLock<HashMap<Box<str>, Mutex<DDSketch>>>,
    unnamed: Mutex<DDSketch>,
    others: Mutex<DDSketch>,
    after_ask: Mutex<DDSketch>,
}

/// The names that are told apart, in all parts alike: the first ones that there were.
#[derive(Default)]
pub(super) struct Names(RwLock<HashSet<Box<str>>>);

/// What was recorded.
pub(super) struct Recorded {
    pub(super) all: Durations,
    pub(super) by_name: BTreeMap<String, Durations>,
    pub(super) unnamed: Durations,
    pub(super) others: Durations,
    pub(super) after_ask: Durations,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            by_name: RwLock::default(),
            unnamed: Mutex::new(sketch()),
            others: Mutex::new(sketch()),
            after_ask: Mutex::new(sketch()),
        }
    }
}

impl Recorder {
    /// Records how long an operation took that has ended. Nothing is allocated, but for a new name and a length of time unlike
    /// any before.
    pub(super) fn record(&self, context: &OperationContext, names: &Names) {
        let took = context.duration;
        match &context.name {
            None => add(&self.unnamed, took),
            Some(name) => self.record_named(name, took, names),
        }
        if let Some(since) = context.since_asked {
            add(&self.after_ask, since);
        }
    }

    fn record_named(&self, name: &str, took: Duration, names: &Names) {
        let by_name = self.by_name.read();
        if let Some(sketch) = by_name.get(name) {
            return add(sketch, took);
        }
        drop(by_name);
        if !names.tell_apart(name) {
            return add(&self.others, took);
        }
        let mut by_name = self.by_name.write();
        let new = || Mutex::new(sketch());
        let sketch = by_name.entry(name.into()).or_insert_with(new);
        sketch.get_mut().add(took.as_secs_f64());
    }

    /// What all parts have recorded. Sketches are cloned out one by one, so that nobody who ends waits for more than one.
    pub(super) fn read<'a>(parts: impl Iterator<Item = &'a Self>) -> Recorded {
        let [mut all, mut unnamed, mut others, mut after_ask] = [(); 4].map(|()| sketch());
        let mut by_name: BTreeMap<String, DDSketch> = BTreeMap::new();
        for part in parts {
            merge(&mut unnamed, &part.unnamed);
            merge(&mut others, &part.others);
            merge(&mut after_ask, &part.after_ask);
            let names: Vec<_> = part.by_name.read().keys().cloned().collect();
            for name in names {
                if let Some(recorded) = part.by_name.read().get(&name) {
                    let sum = by_name.entry(name.into_string()).or_insert_with(sketch);
                    merge(sum, recorded);
                }
            }
        }
        for some in by_name.values().chain([&unnamed, &others]) {
            merge_read(&mut all, some);
        }
        let by_name = by_name.into_iter();
        Recorded {
            by_name: by_name
                .map(|(name, sketch)| (name, figures(&sketch)))
                .collect(),
            unnamed: figures(&unnamed),
            others: figures(&others),
            after_ask: figures(&after_ask),
            all: figures(&all),
        }
    }
}

impl Names {
    /// Whether this is one of the names that are told apart.
    fn tell_apart(&self, name: &str) -> bool {
        let names = self.0.read();
        if names.contains(name) {
            return true;
        }
        if names.len() >= MAX_NAMES || name.len() > MAX_NAME {
            return false;
        }
        drop(names);
        let mut names = self.0.write();
        // Somebody else may have been faster, with this name or with others.
        if names.len() < MAX_NAMES {
            names.insert(name.into());
        }
        names.contains(name)
    }
}

/// A sketch keeps a count for each length of time that differs by more than four percent: at most 1024 of them, from a
/// microsecond on.
fn sketch() -> DDSketch {
    DDSketch::new(Config::new(0.02, 1024, 1e-6))
}

fn add(sketch: &Mutex<DDSketch>, took: Duration) {
    sketch.lock().add(took.as_secs_f64());
}

fn merge(all: &mut DDSketch, other: &Mutex<DDSketch>) {
    let other = other.lock().clone();
    merge_read(all, &other);
}

fn merge_read(all: &mut DDSketch, other: &DDSketch) {
    all.merge(other)
        .expect("two sketches of the same configuration can be merged");
}

fn figures(sketch: &DDSketch) -> Durations {
    let count = sketch.count() as u64;
    let Some(sum) = sketch.sum() else {
        return Durations::default();
    };
    // Which of them, in the order of their lengths, this part took no longer than. The sketch counts from zero and rounds
    // down, so it is given the middle between that one and the next.
    let quantile = |part: f64| {
        let place = (part * count as f64).ceil() - 0.5;
        let found = sketch.quantile((place / (count as f64 - 1.0)).min(1.0));
        let found = found.expect("a place among them lies between zero and one");
        length(found.unwrap_or(0.0))
    };
    Durations {
        count,
        mean: length(sum / count as f64),
        p50: quantile(0.5),
        p99: quantile(0.99),
    }
}

fn length(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Names may come from users, so there is an end to how many are told apart: the first ones are.
const MAX_NAMES: usize = 256;
/// The length of a name, in bytes, up to which it is.
const MAX_NAME: usize = 256;
