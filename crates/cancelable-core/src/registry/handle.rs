//! [`Registry`], the face: asking by id, pages, the history.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, LazyLock};

use super::page::{Cursor, Page};
use super::shared::Shared;
use super::{Filter, Registered, Statistics, Subscription, scan};
use crate::{LiveOperation, OperationContext};

/// Who runs, and who ran: operations that were registered, to be listed, watched and cancelled from any thread.
///
/// Cloning gives another handle to the same registry. No method waits for an operation, and none holds an operation up for
/// longer than one access to a map.
///
/// ```
/// use cancelable_core::{Filter, Outcome, Registry};
///
/// let registry = Registry::new();
/// assert_eq!(registry.cancel("import-7", "no longer wanted"), Outcome::Unknown);
/// assert_eq!(registry.count(&Filter::new()), 0);
/// ```
///
/// Two handles are equal when they are handles of the same one.
#[derive(Clone)]
pub struct Registry {
    pub(super) shared: Arc<Shared>,
}

impl Registry {
    /// An empty registry that keeps the newest 1000 operations that ended.
    pub fn new() -> Self {
        Self::with_history(DEFAULT_HISTORY)
    }

    /// An empty registry that keeps the newest `limit` operations that ended; zero keeps none.
    pub fn with_history(limit: usize) -> Self {
        Self {
            shared: Arc::new(Shared::new(limit)),
        }
    }

    /// The registry of the process.
    pub fn global() -> &'static Self {
        static GLOBAL: LazyLock<Registry> = LazyLock::new(Registry::new);
        &GLOBAL
    }

    /// Has an operation listed for as long as it keeps what this gives, and tells through it how it fares.
    ///
    /// # Errors
    ///
    /// If a live operation has its id.
    pub fn register<O: LiveOperation>(
        &self,
        operation: &Arc<O>,
    ) -> Result<Registered, DuplicateId> {
        Registered::enter(&self.shared, operation).map_err(|attempt| DuplicateId {
            id: operation.id().to_owned(),
            attempt,
        })
    }

    /// A snapshot of the live operation with this id, else of the one that ended last in the history.
    pub fn get(&self, id: &str) -> Option<OperationContext> {
        let (live, ended) = self.shared.hold(id);
        match live {
            Some(operation) => Some(operation.context()),
            None => ended.map(|end| OperationContext::clone(&end)),
        }
    }

    /// Snapshots of all live operations that the filter means, in the order of their start. Each is taken at a moment of its
    /// own; those that start meanwhile are not among them.
    pub fn list(&self, filter: &Filter) -> Vec<OperationContext> {
        scan::live(&self.shared, None)
            .filter_map(|(_, operation)| filter.take(&*operation))
            .collect()
    }

    /// A part of that list: at most `limit` operations (at least one), after those of the page that `after` came with.
    ///
    /// Going through all pages shows each operation that is live all the while exactly once, whatever else comes and goes.
    ///
    /// ```
    /// # use cancelable_core::{Filter, Registry};
    /// # let registry = Registry::new();
    /// let mut next = None;
    /// loop {
    ///     let page = registry.page(&Filter::new(), next, 100);
    ///     for operation in &page.operations {
    ///         println!("{} {}", operation.id, operation.status);
    ///     }
    ///     next = page.next;
    ///     if next.is_none() {
    ///         break;
    ///     }
    /// }
    /// ```
    pub fn page(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Page {
        let mut live = scan::live(&self.shared, after.map(|cursor| cursor.0));
        let mut operations = Vec::new();
        let mut last = None;
        while operations.len() < limit.max(1) {
            let Some((number, operation)) = live.next() else {
                return Page::new(operations, None);
            };
            operations.extend(filter.take(&*operation));
            last = Some(number);
        }
        let is_last = live.next().is_none();
        Page::new(operations, last.filter(|_| !is_last))
    }

    /// How many live operations the filter means. One that means all needs no snapshot.
    pub fn count(&self, filter: &Filter) -> u64 {
        if filter.is_empty() {
            return self.shared.counts().0.active.total();
        }
        let live = scan::live(&self.shared, None);
        let meant = live.filter(|(_, operation)| filter.take(&**operation).is_some());
        meant.count() as u64
    }

    /// Snapshots of the operations in the history that the filter means, the newest end first.
    pub fn history(&self, filter: &Filter) -> Vec<OperationContext> {
        self.history_page(filter, None, usize::MAX).operations
    }

    /// A part of that list: at most `limit` operations (at least one), that ended before those of the page that `after` came
    /// with.
    pub fn history_page(&self, filter: &Filter, after: Option<Cursor>, limit: usize) -> Page {
        let mut past = scan::ended(&self.shared, after.map(|cursor| cursor.0));
        let mut operations = Vec::new();
        let mut last = None;
        while operations.len() < limit.max(1) {
            let Some((number, context)) = past.next() else {
                return Page::new(operations, None);
            };
            if filter.matches(&context) {
                operations.push(OperationContext::clone(&context));
            }
            last = Some(number);
        }
        let is_last = past.next().is_none();
        Page::new(operations, last.filter(|_| !is_last))
    }

    /// Takes those that the filter means out of the history, for good, and says how many these were. They are still counted, and
    /// still among the newest that the limit is about: others that are older do not come back.
    pub fn forget(&self, filter: &Filter) -> usize {
        let ended = scan::ended(&self.shared, None);
        let meant: Vec<_> = ended
            .filter(|(_, context)| filter.matches(context))
            .collect();
        let gone = meant
            .into_iter()
            .filter(|(number, context)| self.shared.forget(*number, &context.id));
        gone.count()
    }

    /// Keeps only the newest `limit` operations that ended from now on; zero keeps none.
    pub fn set_history_limit(&self, limit: usize) {
        self.shared.set_history_limit(limit);
    }

    /// How many operations there have been and where they stand, and how long they took.
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    /// Listens to what happens from now on; the newest `capacity` events are kept for whoever listens.
    ///
    /// ```
    /// # use cancelable_core::{Heard, Registry};
    /// # async fn show(registry: Registry) {
    /// let mut events = registry.subscribe(1024);
    /// while let Some(heard) = events.next().await {
    ///     match heard {
    ///         Heard::Event(event) => println!("{}: {:?}", event.id, event.what),
    ///         Heard::Lagged(lost) => println!("{lost} events were lost"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the capacity is zero.
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        assert!(
            capacity > 0,
            "a subscription with a capacity of 0 would hear nothing; give at least 1"
        );
        self.shared.common.subscribers.join(capacity)
    }
}

impl PartialEq for Registry {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Registry {}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("counts", &self.shared.counts().0)
            .finish_non_exhaustive()
    }
}

/// A second operation with the id of a live one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateId {
    id: String,
    attempt: u32,
}

impl DuplicateId {
    /// The id that is taken.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Which attempt the live operation with this id is.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl fmt::Display for DuplicateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, attempt } = self;
        write!(
            f,
            "an operation with id {id:?} is live (attempt {attempt}); wait until it has ended, or give another id"
        )
    }
}

impl Error for DuplicateId {}

/// How many that ended are kept unless something else is said.
const DEFAULT_HISTORY: usize = 1000;
