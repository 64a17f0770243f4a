//! [`Registered`], through which an operation tells its registry how it fares.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use super::event::{Event, What};
use super::shard::{Key, Live};
use super::shared::{Cell, Shared};
use crate::{Cancellation, LiveOperation, OperationContext, OperationStatus, Progress};

/// The entry of an operation in a registry, kept by the operation: it tells through it how it fares.
///
/// The registry holds the operation weakly, so the operation may keep its entry wherever it likes. Dropped without an
/// [`ended`](Self::ended), it leaves: it is counted as `untold` and does not come into the history.
#[must_use = "dropped, the operation leaves the registry"]
pub struct Registered {
    cell: Arc<Cell>,
    key: Key,
    number: u64,
    attempt: u32,
    operation: Weak<dyn LiveOperation>,
    is_over: AtomicBool,
}

impl Registered {
    /// Lets an operation in.
    ///
    /// # Errors
    ///
    /// The attempt of the live operation that has this id.
    pub(super) fn enter<O: LiveOperation>(
        shared: &Shared,
        operation: &Arc<O>,
    ) -> Result<Self, u32> {
        let key = shared.key(operation.id());
        let attempt = operation.attempt();
        let weak: Weak<O> = Arc::downgrade(operation);
        let live = Live {
            operation: weak.clone(),
            attempt,
            status: operation.status(),
        };
        let cell = shared.cell(key.hash);
        let number = cell.enter(&key, live)?;
        let registered = Self {
            cell: Arc::clone(cell),
            key,
            number,
            attempt,
            operation: weak,
            is_over: AtomicBool::new(false),
        };
        registered.tell(|| What::Started {
            parent_id: operation.parent_id().map(str::to_owned),
        });
        Ok(registered)
    }

    /// Tells that it is at work, for one that was registered before.
    pub fn started(&self) {
        self.cell.tell(self.number, OperationStatus::Running);
    }

    /// Whether somebody listens to the events of the registry: where nobody does, what it takes to tell can be spared.
    pub fn is_heard(&self) -> bool {
        self.cell.common.subscribers.is_any()
    }

    /// Tells how far it has come, unless it has ended. Where nobody listens, this costs nothing.
    pub fn progressed(&self, progress: &Progress) {
        // Relaxed, as in `is_first_end`: who reports after the end, on the same thread or told of it, sees that.
        if !self.is_over.load(Ordering::Relaxed) {
            self.tell(|| What::Progress {
                progress: progress.clone(),
            });
        }
    }

    /// Tells that it was asked to stop. Only the first time counts.
    pub fn asked(&self, why: &Cancellation) {
        let status = OperationStatus::Cancelling;
        if self.cell.tell(self.number, status) {
            self.tell(|| What::Asked {
                cancellation: why.clone(),
            });
        }
    }

    /// Tells how it ended, with its last snapshot: in one step it is no longer live, is in the history, and is counted. `true`
    /// if that was its end; what comes after it has no effect.
    ///
    /// A snapshot whose status is not terminal is no end: the operation leaves as if its entry had been dropped.
    pub fn ended(&self, context: OperationContext) -> bool {
        if !context.status.is_terminal() {
            self.leave();
            return false;
        }
        if let Some(why) = &context.cancellation {
            self.asked(why);
        }
        if !self.is_first_end() {
            return false;
        }
        let context = Arc::new(context);
        self.cell.end(&self.key, self.number, &context);
        self.tell(|| What::Ended { context });
        true
    }

    fn leave(&self) {
        if self.is_first_end() {
            self.cell.leave(&self.key, self.number);
            self.tell(|| What::Left);
        }
    }

    fn is_first_end(&self) -> bool {
        // Relaxed: it orders nothing, the lock of the shard does.
        !self.is_over.swap(true, Ordering::Relaxed)
    }

    fn tell(&self, what: impl FnOnce() -> What) {
        self.cell.common.subscribers.tell(|| {
            let operation = self.operation.upgrade();
            let name = operation.as_ref().and_then(|operation| operation.name());
            Event {
                id: self.key.id.as_ref().to_owned(),
                attempt: self.attempt,
                name: name.map(str::to_owned),
                at: SystemTime::now(),
                what: what(),
            }
        });
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("id", &self.key.id)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
