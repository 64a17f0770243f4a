//! Who looks at an operation from outside: registries, which it tells how it fares.
//!
//! The arrow goes one way: a registry knows operations by the trait that the core owns, and an operation keeps its entry.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cancelable_core::{
    Cancellation, LiveOperation, OperationContext, OperationStatus, Progress, Reason, Registered,
    Registration, Registry,
};
use serde_json::Value;
use tokio::time::Instant;

use super::Record;

/// The entries of an operation in the registries that list it.
pub(crate) struct Watched {
    entries: Vec<Registered>,
    /// Tells them at once when the operation is asked to stop.
    _asked: Registration,
}

impl Watched {
    /// Lets the operation in everywhere. Where its id is taken it is cancelled.
    pub(crate) fn by(registries: &[Registry], record: &Arc<Record>) {
        let mut entries = Vec::with_capacity(registries.len());
        for registry in registries {
            match registry.register(record) {
                Ok(entry) => entries.push(entry),
                Err(taken) => {
                    let why = Cancellation::new(Reason::Error).with_message(taken.to_string());
                    record.token().cancel_with(why);
                    // It takes no place where it could have one either.
                    return;
                }
            }
        }
        let weak = Arc::downgrade(record);
        let asked = record.token().on_cancel(move |_| {
            if let Some(record) = weak.upgrade() {
                record.tell_asked();
            }
        });
        record.set_watched(Self {
            entries,
            _asked: asked,
        });
        // One that was asked before was not told above: there was nobody to tell yet.
        record.tell_asked();
    }

    pub(super) fn started(&self) {
        self.entries.iter().for_each(Registered::started);
    }

    pub(super) fn progressed(&self, progress: &Progress) {
        for entry in &self.entries {
            entry.progressed(progress);
        }
    }

    pub(super) fn asked(&self, why: &Cancellation) {
        for entry in &self.entries {
            entry.asked(why);
        }
    }

    pub(super) fn ended(&self, context: &OperationContext) {
        for entry in &self.entries {
            entry.ended(context.clone());
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.entries).finish()
    }
}

impl LiveOperation for Record {
    fn id(&self) -> &str {
        self.id()
    }

    fn attempt(&self) -> u32 {
        self.attempt()
    }

    fn name(&self) -> Option<&str> {
        self.name()
    }

    fn parent_id(&self) -> Option<&str> {
        self.parent_id()
    }

    fn status(&self) -> OperationStatus {
        self.status()
    }

    fn age(&self) -> Duration {
        Instant::now().saturating_duration_since(self.start)
    }

    fn since_asked(&self) -> Option<Duration> {
        self.asked_before(Instant::now()).map(|(_, since)| since)
    }

    fn has_metadata(&self, key: &str, value: &Value) -> bool {
        self.has_metadata(key, value)
    }

    fn context(&self) -> OperationContext {
        self.context()
    }

    fn cancel_with(&self, why: Cancellation) -> bool {
        let is_first = self.token().cancel_with(why);
        self.notice_ask();
        is_first
    }
}
