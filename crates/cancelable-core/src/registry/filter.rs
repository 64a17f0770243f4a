//! [`Filter`], which operations are meant.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use glob::Pattern;
use serde_json::Value;

use crate::{LiveOperation, OperationContext, OperationStatus};

/// Which operations are meant. An empty one means all; each condition that is added must hold as well.
///
/// ```
/// use std::time::Duration;
/// use cancelable_core::{Filter, OperationStatus, Registry};
///
/// let slow_imports = Filter::new()
///     .name("import-*")?
///     .status(OperationStatus::Running)
///     .metadata("tenant", "blue")
///     .min_age(Duration::from_secs(60));
/// assert!(Registry::new().list(&slow_imports).is_empty());
/// # Ok::<_, cancelable_core::InvalidPattern>(())
/// ```
#[derive(Clone, Default)]
pub struct Filter {
    statuses: Vec<OperationStatus>,
    names: Vec<Name>,
    parent_id: Option<String>,
    metadata: Vec<(String, Value)>,
    min_age: Option<Duration>,
    max_age: Option<Duration>,
    asked_for: Option<Duration>,
    predicates: Vec<Arc<Predicate>>,
}

/// What a name has to be.
#[derive(Clone, Debug)]
enum Name {
    /// What matches a pattern.
    Like(Pattern),
    /// What, in lower case, matches a pattern of lower case.
    LikeInAnyCase(Pattern),
    /// What, in lower case, has this in it.
    With(String),
}

type Predicate = dyn Fn(&OperationContext) -> bool + Send + Sync;

impl Filter {
    /// One that means all operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those with this status; given several times, with any of them.
    #[must_use]
    pub fn status(mut self, status: OperationStatus) -> Self {
        self.statuses.push(status);
        self
    }

    /// Only those whose whole name matches a pattern: `*` stands for any characters, `?` for one, `[ab]` for one of these,
    /// `[!ab]` for one that is not. Those without a name match none.
    ///
    /// # Errors
    ///
    /// Where the pattern is broken, such as `[a` or `a**`, or longer than 256 bytes. (Between slashes, or alone, `**` stands
    /// for any number of parts that slashes divide.)
    pub fn name(mut self, pattern: &str) -> Result<Self, InvalidPattern> {
        self.names.push(Name::Like(compiled(pattern)?));
        Ok(self)
    }

    /// Only those whose name has this text in it, whatever the case of the letters; as people search. With a `*` or `?` in it
    /// the text is a pattern, as [`name`](Self::name) takes it, for the whole name.
    ///
    /// # Errors
    ///
    /// Where the pattern is broken, as with [`name`](Self::name).
    pub fn name_like(mut self, text: &str) -> Result<Self, InvalidPattern> {
        let lower = text.to_lowercase();
        self.names.push(if text.contains(['*', '?']) {
            Name::LikeInAnyCase(compiled(&lower)?)
        } else {
            Name::With(lower)
        });
        Ok(self)
    }

    /// Only those with exactly this name, whatever is in it.
    #[must_use]
    pub fn exact_name(mut self, name: &str) -> Self {
        let escaped = Pattern::escape(name);
        let pattern = Pattern::new(&escaped).expect("what is escaped is a valid pattern");
        self.names.push(Name::Like(pattern));
        self
    }

    /// Only those that run directly in the operation with this id.
    #[must_use]
    pub fn parent(mut self, id: impl Into<String>) -> Self {
        self.parent_id = Some(id.into());
        self
    }

    /// Only those whose metadata has this value under this key.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }

    /// Only those that have been running, or took, at least this long.
    #[must_use]
    pub fn min_age(mut self, age: Duration) -> Self {
        self.min_age = Some(age);
        self
    }

    /// Only those that have been running, or took, at most this long.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Only those that have gone on, or went on, for at least this long after they were asked to stop.
    #[must_use]
    pub fn asked_for(mut self, since: Duration) -> Self {
        self.asked_for = Some(since);
        self
    }

    /// Only those that `predicate` takes. It is asked last, of a snapshot, and may do anything, the registry included; if it
    /// panics, so does the call that the filter was given to, and nothing has been done by then.
    #[must_use]
    pub fn matching(
        mut self,
        predicate: impl Fn(&OperationContext) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.predicates.push(Arc::new(predicate));
        self
    }

    /// Whether it means all operations.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            statuses,
            names,
            parent_id,
            metadata,
            min_age,
            max_age,
            asked_for,
            predicates,
        } = self;
        let limits = [min_age, max_age, asked_for];
        statuses.is_empty()
            && names.is_empty()
            && parent_id.is_none()
            && metadata.is_empty()
            && limits.iter().all(|limit| limit.is_none())
            && predicates.is_empty()
    }

    /// The snapshot of a live operation, if it is meant.
    pub(super) fn take(&self, operation: &dyn LiveOperation) -> Option<OperationContext> {
        // A snapshot costs more than all questions, so it is made for those that seem to be meant. It is what counts in the
        // end, since meanwhile the operation went on.
        let may_be = self.is_status(operation.status())
            && self.is_name(operation.name())
            && self.is_parent(operation.parent_id())
            && self.is_age(operation.age())
            && self.is_asked(|| operation.since_asked())
            && self.is_metadata(|key, value| operation.has_metadata(key, value));
        if !may_be {
            return None;
        }
        let context = operation.context();
        self.matches(&context).then_some(context)
    }

    /// Whether it means the operation of this snapshot.
    pub fn matches(&self, context: &OperationContext) -> bool {
        self.is_status(context.status)
            && self.is_name(context.name.as_deref())
            && self.is_parent(context.parent_id.as_deref())
            && self.is_age(context.duration)
            && self.is_asked(|| context.since_asked)
            && self.is_metadata(|key, value| context.metadata.get(key) == Some(value))
            && self.predicates.iter().all(|predicate| predicate(context))
    }

    fn is_status(&self, status: OperationStatus) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    fn is_name(&self, name: Option<&str>) -> bool {
        let mut names = self.names.iter();
        names.all(|wanted| name.is_some_and(|name| wanted.is(name)))
    }

    fn is_parent(&self, parent_id: Option<&str>) -> bool {
        self.parent_id.is_none() || self.parent_id.as_deref() == parent_id
    }

    fn is_age(&self, age: Duration) -> bool {
        self.min_age.is_none_or(|least| age >= least) && self.max_age.is_none_or(|most| age <= most)
    }

    fn is_asked(&self, since: impl FnOnce() -> Option<Duration>) -> bool {
        self.asked_for
            .is_none_or(|least| since().is_some_and(|since| since >= least))
    }

    fn is_metadata(&self, has: impl Fn(&str, &Value) -> bool) -> bool {
        self.metadata.iter().all(|(key, value)| has(key, value))
    }
}

impl Name {
    fn is(&self, name: &str) -> bool {
        match self {
            Self::Like(pattern) => pattern.matches(name),
            Self::LikeInAnyCase(pattern) => pattern.matches(&name.to_lowercase()),
            Self::With(text) => name.to_lowercase().contains(text),
        }
    }
}

fn compiled(pattern: &str) -> Result<Pattern, InvalidPattern> {
    let invalid = |problem: &str| InvalidPattern {
        pattern: pattern.chars().take(SHOWN).collect(),
        problem: problem.to_owned(),
    };
    if pattern.len() > MAX_PATTERN {
        return Err(invalid("it is longer than 256 bytes"));
    }
    Pattern::new(pattern)
        .map_err(|error| invalid(&format!("{} (at character {})", error.msg, error.pos)))
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("statuses", &self.statuses)
            .field("names", &self.names)
            .field("parent_id", &self.parent_id)
            .field("metadata", &self.metadata)
            .field("min_age", &self.min_age)
            .field("max_age", &self.max_age)
            .field("asked_for", &self.asked_for)
            .field("predicates", &self.predicates.len())
            .finish()
    }
}

/// A pattern for names that no filter can be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    pattern: String,
    problem: String,
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, problem } = self;
        write!(
            f,
            "invalid name pattern {pattern:?}: {problem}; give one like `import-*`, and write `[*]` for a star itself"
        )
    }
}

impl Error for InvalidPattern {}

/// Matching goes as deep as a pattern has stars, and patterns may come from outside.
const MAX_PATTERN: usize = 256;
/// As much of a pattern as an error shows.
const SHOWN: usize = 80;
