//! How far an operation has come: its reports, and the counts of its streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cancelable_core::Progress;

use super::Record;
use crate::operation::{OnProgress, Operation, callbacks, trace};

impl Record {
    pub(crate) fn report(&self, reporter: &Operation, progress: Progress) {
        let is_own = std::ptr::eq(&*reporter.record, self);
        if is_own {
            if let Some(watched) = self.watched() {
                watched.progressed(&progress);
            }
            if let Some(span) = self.span() {
                trace::progressed(span, &progress);
            }
        }
        let callbacks = self.change(|changing| {
            if is_own {
                // Read under the lock, so that reports of two threads come in the order of their times.
                changing.pace.note(self.start.elapsed(), &progress);
            }
            changing.progress = Some(progress.clone());
            changing.callbacks.progress.clone()
        });
        let progress = &progress;
        for callback in callbacks {
            // Dropped in there as well: it may be the last of it.
            callbacks::call("on_progress", move || callback(reporter, progress));
        }
    }

    pub(crate) fn on_progress(&self, callback: OnProgress) {
        self.change(|changing| changing.callbacks.progress.push(callback));
    }

    /// A count that is part of the snapshot for as long as its stream is open.
    pub(crate) fn open_stream(&self) -> Arc<AtomicU64> {
        let count = Arc::new(AtomicU64::new(0));
        self.change(|changing| changing.streams.push(Arc::clone(&count)));
        count
    }

    pub(crate) fn close_stream(&self, count: &Arc<AtomicU64>) {
        self.change(|changing| {
            changing.streams.retain(|open| !Arc::ptr_eq(open, count));
            // Relaxed: whoever closes a stream has it to himself.
            changing.items += count.load(Ordering::Relaxed);
        });
    }
}
