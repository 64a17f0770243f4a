//! A report of how far an operation has come.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
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

    /// With one more fact.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// The part that is done, from 0 to 1; `None` where the total is unknown or zero.
    pub fn fraction(&self) -> Option<f64> {
        match (self.current, self.total) {
            (Some(current), Some(total)) if total > 0 => {
                Some((current as f64 / total as f64).min(1.0))
            }
            _ => None,
        }
    }
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
