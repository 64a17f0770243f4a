//! The model checker's primitives, behind the same names as `machine`.
//!
//! loom's `Arc` has no `Weak`, and code that drops a value while its memory is still referred to cannot be written over it
//! in safe Rust. So a pointer here has a strong count of our own, one of loom's atomics: what is dropped, upgraded and
//! counted is explored in every order, with the orderings that std's `Arc` has. When the strong count reaches zero,
//! [`OnLastDrop`] runs, as `Drop` would, and takes the value's fields with it; what stays until the last weak pointer goes
//! is empty.
//!
//! The memory itself is held by std's `Arc`, not by loom's: that one orders the threads that let go of it, which neither a
//! strong nor a weak pointer of the machine does before the last, and so would hide what is missing elsewhere. What loom's
//! would find, memory that is never freed, a [`Track`] finds here.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use loom::alloc::Track;
use loom::sync::atomic::fence;

pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};

/// See `machine::OnLastDrop`.
pub(crate) trait OnLastDrop: Sized {
    /// Runs once, on the thread that dropped the last strong pointer.
    fn on_last_drop(&self);
}

struct Counted<T> {
    /// In the order in which they were made. A real address may be another one each time that the model runs, and what is
    /// sorted by it would then stand in another order, whereas loom needs every run to be like the one before.
    number: usize,
    strong: AtomicUsize,
    value: T,
    /// Fails the model that leaks this.
    _track: Track<()>,
}

impl<T> Counted<T> {
    /// Gives up one strong pointer, and says whether it was the last.
    fn release(&self) -> bool {
        let was_last = self.strong.fetch_sub(1, Ordering::Release) == 1;
        if was_last {
            // Pairs with the release of all who let go before: what they did with the value is over.
            fence(Ordering::Acquire);
        }
        was_last
    }
}

type Shared<T> = std::sync::Arc<Counted<T>>;

/// A strong pointer: `std::sync::Arc`, modelled. `None` only once [`into_inner`](Arc::into_inner) has taken it.
pub(crate) struct Arc<T: OnLastDrop>(Option<Shared<T>>);

impl<T: OnLastDrop> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        static NUMBERS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        Self(Some(Shared::new(Counted {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            strong: AtomicUsize::new(1),
            value,
            _track: Track::new(()),
        })))
    }

    pub(crate) fn downgrade(this: &Self) -> Weak<T> {
        Weak(Some(Shared::clone(this.shared())))
    }

    pub(crate) fn strong_count(this: &Self) -> usize {
        this.shared().strong.load(Ordering::Relaxed)
    }

    pub(crate) fn ptr_eq(this: &Self, other: &Self) -> bool {
        Shared::ptr_eq(this.shared(), other.shared())
    }

    /// The value if this was the last strong pointer. Its `OnLastDrop` runs when what is returned is dropped.
    pub(crate) fn into_inner(mut this: Self) -> Option<Last<T>> {
        let shared = this.0.take().expect("only this function takes it");
        shared.release().then(|| Last(shared))
    }

    fn shared(&self) -> &Shared<T> {
        self.0.as_ref().expect("only into_inner takes it")
    }
}

impl<T: OnLastDrop + Default> Default for Arc<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: OnLastDrop> Clone for Arc<T> {
    fn clone(&self) -> Self {
        self.shared().strong.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl<T: OnLastDrop> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shared().value
    }
}

impl<T: OnLastDrop> Drop for Arc<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take()
            && shared.release()
        {
            shared.value.on_last_drop();
        }
    }
}

/// What [`Arc::into_inner`] gives: the value, owned.
pub(crate) struct Last<T: OnLastDrop>(Shared<T>);

impl<T: OnLastDrop> Deref for Last<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: OnLastDrop> Drop for Last<T> {
    fn drop(&mut self) {
        self.0.value.on_last_drop();
    }
}

/// A weak pointer: `std::sync::Weak`, modelled. `None` is one that never pointed anywhere.
pub(crate) struct Weak<T: OnLastDrop>(Option<Shared<T>>);

impl<T: OnLastDrop> Weak<T> {
    pub(crate) fn upgrade(&self) -> Option<Arc<T>> {
        let shared = self.0.as_ref()?;
        let mut strong = shared.strong.load(Ordering::Relaxed);
        while strong != 0 {
            match shared.strong.compare_exchange(
                strong,
                strong + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Arc(self.0.clone())),
                Err(now) => strong = now,
            }
        }
        None
    }

    pub(crate) fn strong_count(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |shared| shared.strong.load(Ordering::Relaxed))
    }
}

impl<T: OnLastDrop> Clone for Weak<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// parking_lot's mutex over loom's: no poison, since a model that panics has failed already.
#[derive(Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect("a model that panics ends")))
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

/// A guard that a [`Condvar`] can take and give back through `&mut`, as parking_lot's does.
pub(crate) struct MutexGuard<'a, T>(Option<loom::sync::MutexGuard<'a, T>>);

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("away only while it waits")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("away only while it waits")
    }
}

/// parking_lot's condition variable over loom's.
#[derive(Debug)]
pub(crate) struct Condvar(loom::sync::Condvar);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self(loom::sync::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.0.take().expect("away only while it waits");
        guard.0 = Some(self.0.wait(inner).expect("a model that panics ends"));
    }

    /// Waits without an end: there is no time in a model.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _until: Instant) {
        self.wait(guard);
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// See `machine::new_with_weak`.
pub(crate) fn new_with_weak<T: OnLastDrop>(make: impl FnOnce() -> T) -> (Arc<T>, Weak<T>) {
    let value = Arc::new(make());
    let weak = Arc::downgrade(&value);
    (value, weak)
}

/// See `machine::address`.
pub(crate) fn address<T: OnLastDrop>(of: &Arc<T>) -> usize {
    of.shared().number
}

/// See `machine::next_in_order`. The machine's own atomic, which adds no step to a model: the numbers order nothing.
pub(crate) fn next_in_order() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// See `machine::marking`.
pub(crate) fn marking() -> MutexGuard<'static, ()> {
    loom::lazy_static! {
        static ref MARKING: Mutex<()> = Mutex::new(());
    }
    MARKING.lock()
}
