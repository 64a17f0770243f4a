//! How long operations took, by their names, in bounded memory.

use std::collections::{BTreeMap, HashMap};
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
    /// What half of them took no longer than, to within one percent.
    #[serde(rename = "p50_seconds", with = "serial::seconds")]
    pub p50: Duration,
    /// What 99 of 100 took no longer than, to within one percent.
    #[serde(rename = "p99_seconds", with = "serial::seconds")]
    pub p99: Duration,
}

/// The durations of operations by their names, for the first names that there were.
pub(super) struct Recorder {
    by_name: RwLock<HashMap<Box<str>, Mutex<DDSketch>>>,
    unnamed: Mutex<DDSketch>,
    others: Mutex<DDSketch>,
    after_ask: Mutex<DDSketch>,
}

/// What a [`Recorder`] has recorded.
pub(super) struct Recorded {
    pub(super) all: Durations,
    pub(super) by_name: BTreeMap<String, Durations>,
    pub(super) unnamed: Durations,
    pub(super) others: Durations,
    pub(super) after_ask: Durations,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Self {
            by_name: RwLock::default(),
            unnamed: Mutex::new(sketch()),
            others: Mutex::new(sketch()),
            after_ask: Mutex::new(sketch()),
        }
    }

    /// Records how long an operation took that has ended. Nothing is allocated, but for a new name and a length of time unlike
    /// any before.
    pub(super) fn record(&self, context: &OperationContext) {
        let took = context.duration;
        match &context.name {
            None => add(&self.unnamed, took),
            Some(name) => self.record_named(name, took),
        }
        if let Some(since) = context.since_asked {
            add(&self.after_ask, since);
        }
    }

    fn record_named(&self, name: &str, took: Duration) {
        let by_name = self.by_name.read();
        match by_name.get(name) {
            Some(sketch) => return add(sketch, took),
            None if by_name.len() >= MAX_NAMES || name.len() > MAX_NAME => {
                return add(&self.others, took);
            }
            None => drop(by_name),
        }
        let mut by_name = self.by_name.write();
        // Somebody else may have been faster, with this name or with another.
        if by_name.len() < MAX_NAMES || by_name.contains_key(name) {
            let new = || Mutex::new(sketch());
            let sketch = by_name.entry(name.into()).or_insert_with(new);
            sketch.get_mut().add(took.as_secs_f64());
        } else {
            drop(by_name);
            add(&self.others, took);
        }
    }

    pub(super) fn recorded(&self) -> Recorded {
        // Cloned out one by one, so that nobody who ends waits for more than one.
        let [unnamed, others, after_ask] =
            [&self.unnamed, &self.others, &self.after_ask].map(|sketch| sketch.lock().clone());
        let names: Vec<_> = self.by_name.read().keys().cloned().collect();
        let mut all = unnamed.clone();
        merge(&mut all, &others);
        let by_name = names.into_iter().map(|name| {
            let by_name = self.by_name.read();
            let sketch = by_name.get(&name).map(|sketch| sketch.lock().clone());
            drop(by_name);
            let sketch = sketch.expect("no name is ever taken out");
            merge(&mut all, &sketch);
            (name.into_string(), figures(&sketch))
        });
        Recorded {
            by_name: by_name.collect(),
            unnamed: figures(&unnamed),
            others: figures(&others),
            after_ask: figures(&after_ask),
            all: figures(&all),
        }
    }
}

/// A sketch keeps a count for each length of time that differs by more than a percent or two: at most 2048 of them.
fn sketch() -> DDSketch {
    DDSketch::new(Config::defaults())
}

fn add(sketch: &Mutex<DDSketch>, took: Duration) {
    sketch.lock().add(took.as_secs_f64());
}

fn merge(all: &mut DDSketch, other: &DDSketch) {
    all.merge(other)
        .expect("two sketches of the same configuration can be merged");
}

fn figures(sketch: &DDSketch) -> Durations {
    let count = sketch.count() as u64;
    let Some(sum) = sketch.sum() else {
        return Durations::default();
    };
    let quantile = |part| {
        let found = sketch.quantile(part);
        let found = found.expect("both parts lie between zero and one");
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
