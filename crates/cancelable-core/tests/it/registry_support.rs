//! An operation to register that does nothing by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cancelable_core::{
    Cancellation, CancellationToken, LiveOperation, OperationContext, OperationStatus, Registered,
    Registry,
};
use parking_lot::Mutex;
use serde_json::Value;

/// An operation whose snapshot is what the test says.
pub(crate) struct Fake {
    id: String,
    attempt: u32,
    name: Option<String>,
    parent_id: Option<String>,
    pub(crate) context: Mutex<OperationContext>,
    pub(crate) token: CancellationToken,
    /// Called whenever a snapshot is asked for.
    pub(crate) on_context: Mutex<Option<Box<dyn Fn() + Send>>>,
    pub(crate) was_dropped: Arc<AtomicBool>,
}

impl Fake {
    /// Running, with this id.
    pub(crate) fn new(id: &str) -> Arc<Self> {
        Self::with(id, |_| ())
    }

    /// Running, with this id and what `change` says of it.
    pub(crate) fn with(id: &str, change: impl FnOnce(&mut OperationContext)) -> Arc<Self> {
        let mut context = OperationContext::new(id);
        context.status = OperationStatus::Running;
        change(&mut context);
        Arc::new(Self {
            id: context.id.clone(),
            attempt: context.attempt,
            name: context.name.clone(),
            parent_id: context.parent_id.clone(),
            context: Mutex::new(context),
            token: CancellationToken::new(),
            on_context: Mutex::default(),
            was_dropped: Arc::default(),
        })
    }

    /// Registers it, and has its entry told of a cancel.
    pub(crate) fn register(self: &Arc<Self>, registry: &Registry) -> Arc<Registered> {
        let entry = Arc::new(registry.register(self).unwrap());
        let weak = Arc::downgrade(&entry);
        let asked = move |why: &Cancellation| {
            if let Some(entry) = weak.upgrade() {
                entry.asked(why);
            }
        };
        self.token.on_cancel(asked).detach();
        entry
    }

    /// Its last snapshot, if it ends with this status now.
    pub(crate) fn end(&self, status: OperationStatus) -> OperationContext {
        let mut context = self.context.lock();
        context.status = status;
        context.end = Some(context.start + context.duration);
        context.cancellation = self.token.cancellation();
        context.clone()
    }
}

impl LiveOperation for Fake {
    fn id(&self) -> &str {
        &self.id
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn parent_id(&self) -> Option<&str> {
        self.parent_id.as_deref()
    }

    fn status(&self) -> OperationStatus {
        match self.context.lock().status {
            OperationStatus::Running if self.token.is_cancelled() => OperationStatus::Cancelling,
            status => status,
        }
    }

    fn age(&self) -> Duration {
        self.context.lock().duration
    }

    fn since_asked(&self) -> Option<Duration> {
        self.context.lock().since_asked
    }

    fn has_metadata(&self, key: &str, value: &Value) -> bool {
        self.context.lock().metadata.get(key) == Some(value)
    }

    fn context(&self) -> OperationContext {
        if let Some(call) = &*self.on_context.lock() {
            call();
        }
        let mut context = self.context.lock().clone();
        context.status = self.status_of(context.status);
        context.cancellation = self.token.cancellation();
        context
    }

    fn cancel_with(&self, why: Cancellation) -> bool {
        self.token.cancel_with(why)
    }
}

impl Fake {
    fn status_of(&self, status: OperationStatus) -> OperationStatus {
        match status {
            OperationStatus::Running if self.token.is_cancelled() => OperationStatus::Cancelling,
            status => status,
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.was_dropped.store(true, Ordering::SeqCst);
    }
}

/// The ids of some snapshots.
pub(crate) fn ids(contexts: &[OperationContext]) -> Vec<&str> {
    contexts.iter().map(|context| &*context.id).collect()
}
