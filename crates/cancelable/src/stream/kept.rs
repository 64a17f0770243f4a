//! The most recent items of a stream, kept where they outlive it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// The most recent items of a stream: a handle that outlives the stream, the body and the operation, so that what was done
/// before a cancel is not gone with it.
///
/// Made by [`OperationStream::kept`](crate::OperationStream::kept).
pub struct Kept<T> {
    shared: Arc<Mutex<VecDeque<T>>>,
}

impl<T> Kept<T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            shared: Arc::new(Mutex::new(VecDeque::with_capacity(capacity))),
        }
    }

    /// Takes the items out, the oldest first.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.shared.lock()).into()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.shared.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Clone> Kept<T> {
    /// The items, the oldest first.
    pub fn items(&self) -> Vec<T> {
        self.shared.lock().iter().cloned().collect()
    }
}

/// Another handle to the same items.
impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("len", &self.len()).finish()
    }
}

/// What puts items into a [`Kept`], as many as were asked for and no more.
pub(super) struct Keeper<T> {
    pub(super) kept: Kept<T>,
    limit: usize,
    clone: fn(&T) -> T,
}

impl<T: Clone> Keeper<T> {
    pub(super) fn new(limit: usize) -> Self {
        /// More is allocated only as it is used.
        const AT_FIRST: usize = 64;
        Self {
            kept: Kept::with_capacity(limit.min(AT_FIRST)),
            limit,
            clone: T::clone,
        }
    }
}

impl<T> Keeper<T> {
    /// Not inlined, since most streams keep nothing.
    #[inline(never)]
    pub(super) fn keep(&self, item: &T) {
        if self.limit == 0 {
            return;
        }
        // Cloned before and dropped after the lock is held, since both are the user's code.
        let item = (self.clone)(item);
        let mut items = self.kept.shared.lock();
        let oldest = if items.len() >= self.limit {
            items.pop_front()
        } else {
            None
        };
        items.push_back(item);
        drop(items);
        drop(oldest);
    }
}
