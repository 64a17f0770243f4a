//! Whom an operation calls, said before there is one.

use std::sync::Arc;

use cancelable_core::{OperationContext, Progress};

use super::Cancelable;
use crate::operation::{Callbacks, Operation};

impl Cancelable {
    /// Has `callback` called as the operation starts.
    ///
    /// Callbacks of all kinds run in the order of their registration, where the operation runs, and are dropped when it has
    /// ended. One that panics is logged and harms nothing else.
    pub fn on_start(mut self, callback: impl FnOnce(&OperationContext) + Send + 'static) -> Self {
        self.callbacks().start.push(Box::new(callback));
        self
    }

    /// Has `callback` called with each report of progress, its own and those of the operations inside it, and with the
    /// operation that made it.
    pub fn on_progress(
        mut self,
        callback: impl Fn(&Operation, &Progress) + Send + Sync + 'static,
    ) -> Self {
        self.callbacks().progress.push(Arc::new(callback));
        self
    }

    /// Has `callback` called once it has ended with a value.
    pub fn on_complete(
        mut self,
        callback: impl FnOnce(&OperationContext) + Send + 'static,
    ) -> Self {
        self.callbacks().complete.push(Box::new(callback));
        self
    }

    /// Has `callback` called once it has ended because it was cancelled.
    pub fn on_cancel(mut self, callback: impl FnOnce(&OperationContext) + Send + 'static) -> Self {
        self.callbacks().cancel.push(Box::new(callback));
        self
    }

    /// Has `callback` called once it has ended with an error or a panic.
    pub fn on_error(mut self, callback: impl FnOnce(&OperationContext) + Send + 'static) -> Self {
        self.callbacks().error.push(Box::new(callback));
        self
    }

    pub(super) fn callbacks(&mut self) -> &mut Callbacks {
        self.more().callbacks.get_or_insert_default()
    }
}
