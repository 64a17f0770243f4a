//! The record of an operation that ended unseen, kept by its thread for the next one.
//!
//! To make a record, and to free it, is a third of what a short operation costs beside reading the clock. So each thread
//! keeps one that nobody else has a handle to, and that holds nothing: no token, no waker, no parent.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{PENDING, Record};
use crate::operation::Operation;

thread_local! {
    static SPARE: Cell<Option<Arc<Record>>> = const { Cell::new(None) };
}

impl Record {
    /// The record of an operation of which nothing was said, and that nothing encloses.
    #[inline]
    pub(crate) fn plain(start: Instant, deadline: Option<Instant>) -> Arc<Self> {
        // On a thread that is going down there is none.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        if let Some(mut spare) = spare
            && let Some(record) = Arc::get_mut(&mut spare)
        {
            *record.status.get_mut() = PENDING;
            *record.has_left_waker.get_mut() = false;
            record.start = start;
            record.deadline = deadline;
            return spare;
        }
        Arc::new(Self::blank(start, deadline))
    }

    /// Whether all that it holds is overwritten when it is used again.
    #[inline]
    fn is_blank(&self) -> bool {
        self.parent.is_none()
            && self.token.get().is_none()
            && self.late.get().is_none()
            && self.about.is_none()
            && self.shield.is_none()
    }
}

impl Operation {
    /// Lets go of the last handle to an operation that has ended.
    #[inline]
    pub(crate) fn recycle(self) {
        let record = self.record;
        if record.is_blank() {
            // Relaxed: the driver's own note.
            if record.has_left_waker.load(Ordering::Relaxed) {
                record.take_waker();
            }
            let _ = SPARE.try_with(|spare| spare.set(Some(record)));
        }
    }
}
