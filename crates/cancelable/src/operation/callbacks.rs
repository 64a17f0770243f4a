//! What an operation calls, and calling it so that a panic harms nobody else.

use std::sync::Arc;

use cancelable_core::{OperationContext, Progress};

use super::{Companion, Operation};
use crate::panic;

/// Called once, with a snapshot.
pub(crate) type OnEnd = Box<dyn FnOnce(&OperationContext) + Send>;
/// Called for each report, with the operation that made it.
pub(crate) type OnProgress = Arc<dyn Fn(&Operation, &Progress) + Send + Sync>;

/// Everything that an operation may have been given to call.
#[derive(Default)]
pub(crate) struct Callbacks {
    pub(crate) start: Vec<OnEnd>,
    pub(crate) progress: Vec<OnProgress>,
    pub(crate) complete: Vec<OnEnd>,
    pub(crate) cancel: Vec<OnEnd>,
    pub(crate) error: Vec<OnEnd>,
    /// Called by their drop.
    pub(crate) companions: Vec<Box<dyn Companion>>,
}

impl Callbacks {
    /// Whether nobody wants to hear how it ends.
    pub(super) fn end_unheard(&self) -> bool {
        self.complete.is_empty() && self.cancel.is_empty() && self.error.is_empty()
    }

    /// Drops what is not called any more, one by one: the drop of each may panic, and two at once would be the end of the
    /// process.
    pub(super) fn discard(self) {
        let Self {
            start,
            progress,
            complete,
            cancel,
            error,
            companions,
        } = self;
        progress.into_iter().for_each(panic::discard);
        for unheard in [start, complete, cancel, error] {
            unheard.into_iter().for_each(panic::discard);
        }
        companions.into_iter().for_each(panic::discard);
    }
}

/// Calls `callback`; a panic in it is logged and goes no further.
pub(super) fn call(what: &'static str, callback: impl FnOnce()) {
    if let Err(error) = panic::caught(callback) {
        tracing::error!(
            callback = what,
            error,
            "a callback of an operation panicked"
        );
    }
}
