//! The primitives that ship: std's atomics and `Arc`, parking_lot's mutex.
//!
//! parking_lot's mutex is one byte, has no poison, and under two threads costs half of std's.

pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, Weak};

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};

/// What a value wants done when its last [`Arc`] goes, while [`Weak`]s may still be there.
///
/// Here that is `Drop`, which the value implements by calling the same function; the model's pointers call this trait.
pub(crate) trait OnLastDrop: Sized {
    /// Called through `&self`, since the model cannot hand out more. It leaves no field behind.
    #[cfg_attr(
        not(cancelable_loom),
        expect(dead_code, reason = "called by the model's pointers alone")
    )]
    fn on_last_drop(&self);
}

/// What [`Arc::into_inner`] gives: here the value itself, in the model one that is yet to have its [`OnLastDrop`].
pub(crate) type Last<T> = T;

/// A value, and a weak pointer to it.
///
/// It is written where it is to lie. `Arc::new` copies it there, and to copy what has just been written takes as long as that
/// needs to arrive.
#[inline]
pub(crate) fn new_with_weak<T>(make: impl FnOnce() -> T) -> (Arc<T>, Weak<T>) {
    let mut weak = Weak::new();
    let value = Arc::new_cyclic(|own| {
        weak = Weak::clone(own);
        make()
    });
    (value, weak)
}

/// A number that is this value's own for as long as a pointer to it is there, be it a weak one.
pub(crate) fn address<T>(of: &Arc<T>) -> usize {
    Arc::as_ptr(of).addr()
}

/// A number greater than that of every call which happened before this one.
pub(crate) fn next_in_order() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: the numbers of one counter go with what happens before what, and order nothing themselves.
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The process-wide lock under which a subtree is marked as cancelled; see `token::mark`.
pub(crate) fn marking() -> MutexGuard<'static, ()> {
    static MARKING: Mutex<()> = Mutex::new(());
    MARKING.lock()
}
