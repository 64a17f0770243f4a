//! The one place for locks, atomics and counted pointers: the machine's own, or the model checker's under
//! `--cfg cancelable_loom`.
//!
//! The rooms of `token` name nothing of `std::sync` or `parking_lot` themselves, so a model explores exactly the code that
//! ships. What the model checker cannot do stands in its own room, `model`.

#[cfg(not(cancelable_loom))]
mod machine;
#[cfg(cancelable_loom)]
mod model;

#[cfg(not(cancelable_loom))]
pub(crate) use machine::{
    Arc, AtomicUsize, Condvar, Last, Mutex, MutexGuard, OnLastDrop, Ordering, Weak, address,
    marking, new_with_weak, next_in_order,
};
#[cfg(cancelable_loom)]
pub(crate) use model::{
    Arc, AtomicUsize, Condvar, Last, Mutex, MutexGuard, OnLastDrop, Ordering, Weak, address,
    marking, new_with_weak, next_in_order,
};
