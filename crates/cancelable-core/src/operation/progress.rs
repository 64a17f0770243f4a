//! A report of how far an operation has come.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// How far an operation has come: a message for people, and the numbers behind it where there are any.
///
/// ```
/// use cancelable_core::Progress;
///
/// let progress = Progress::new("parsing").step(30, 120).with("file", "Cargo.lock");
/// assert_eq!(progress.fraction(), Some(0.25));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Progress {
    /// What to tell people.
    pub message: Cow<'static, str>,
    /// How many steps are done.
    pub current: Option<u64>,
    /// How many steps there are.
    pub total: Option<u64>,
    /// Whatever else belongs to the report.
    pub metadata: Map<String, Value>,
    /// The part that is done, where the program says it itself: from 0 to 1.
    #[serde(deserialize_with = "read_part")]
    fraction: Option<f64>,
}

impl Progress {
    /// A report with no more than a message.
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }

    /// With the number of steps done, of how many.
    #[must_use]
    pub fn step(self, current: u64, total: u64) -> Self {
        Self {
            current: Some(current),
            total: Some(total),
            ..self
        }
    }

    /// With the number of things done, where nobody knows of how many.
    #[must_use]
    pub fn count(self, current: u64) -> Self {
        Self {
            current: Some(current),
            ..self
        }
    }

    /// With the part that is done, from 0 to 1, where that is known and no number of steps. What lies outside is taken for
    /// the nearer of the two; what is no number is ignored.
    ///
    /// ```
    /// use cancelable_core::Progress;
    ///
    /// assert_eq!(Progress::new("rendering").fraction_done(0.4).fraction(), Some(0.4));
    /// assert_eq!(Progress::new("rendering").fraction_done(1.1).fraction(), Some(1.0));
    /// assert_eq!(Progress::new("rendering").fraction_done(f64::NAN).fraction(), None);
    /// ```
    #[must_use]
    pub fn fraction_done(self, fraction: f64) -> Self {
        Self {
            fraction: part(fraction).or(self.fraction),
            ..self
        }
    }

    /// With one more fact.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// The part that is done, from 0 to 1: what [`fraction_done`](Self::fraction_done) gave, else the steps done of all.
    /// `None` where the total is unknown or zero.
    pub fn fraction(&self) -> Option<f64> {
        self.fraction.or_else(|| match (self.current, self.total) {
            (Some(current), Some(total)) if total > 0 => {
                Some((current as f64 / total as f64).min(1.0))
            }
            _ => None,
        })
    }

    /// What [`fraction_done`](Self::fraction_done) gave.
    pub(super) fn given_fraction(&self) -> Option<f64> {
        self.fraction
    }
}

/// From 0 to 1, whatever was given; `None` for what is no number.
fn part(fraction: f64) -> Option<f64> {
    (!fraction.is_nan()).then(|| fraction.clamp(0.0, 1.0))
}

/// What is read may come from anybody.
fn read_part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::deserialize(deserializer)?.and_then(part))
}

impl From<&'static str> for Progress {
    fn from(message: &'static str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Progress {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn the_fraction_is_what_was_given_or_follows_from_the_steps() {
        let progress = || Progress::new("at it");
        for (progress, fraction) in [
            (progress(), None),
            (progress().count(5), None),
            (progress().step(1, 4), Some(0.25)),
            (progress().step(5, 4), Some(1.0)),
            (progress().step(0, 0), None),
            (progress().step(0, 4).fraction_done(0.5), Some(0.5)),
            (progress().fraction_done(0.5).step(0, 4), Some(0.5)),
            (progress().fraction_done(-0.5), Some(0.0)),
            (progress().fraction_done(f64::INFINITY), Some(1.0)),
            (
                progress().fraction_done(0.5).fraction_done(f64::NAN),
                Some(0.5),
            ),
            (progress().step(1, 4).fraction_done(f64::NAN), Some(0.25)),
        ] {
            assert_eq!(progress.fraction(), fraction, "{progress:?}");
        }
    }
}
