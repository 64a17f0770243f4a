//! What the tests share: a log of events, handles that leave the body, and polling by hand.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use cancelable::{Cancelable, Operation, OperationContext};

/// What happened, in the order in which it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, event: impl Into<String>) {
        self.0
            .lock()
            .expect("nothing panics in here")
            .push(event.into());
    }

    /// What was noted since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nothing panics in here"))
    }

    /// A value that notes this as it is dropped.
    pub(crate) fn note_on_drop(&self, event: &'static str) -> OnDrop<impl FnMut() + use<>> {
        let log = self.clone();
        OnDrop(move || log.note(event))
    }
}

/// A plan that notes the status with which each of its callbacks is called.
pub(crate) fn heard(log: &Log) -> Cancelable {
    let note = |what: &'static str| {
        let log = log.clone();
        move |context: &OperationContext| log.note(format!("{what} {}", context.status))
    };
    Cancelable::new()
        .on_start(note("start"))
        .on_complete(note("complete"))
        .on_cancel(note("cancel"))
        .on_error(note("error"))
}

/// The handle of an operation, for whoever looks at it from outside its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handle(Arc<OnceLock<Operation>>);

impl Handle {
    /// To be called in the body.
    pub(crate) fn keep(&self, operation: &Operation) {
        let kept = self.0.set(operation.clone());
        assert!(kept.is_ok(), "an operation is kept once");
    }

    pub(crate) fn there(&self) -> Operation {
        self.0.get().expect("the body has run").clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }
}

/// Calls its function as it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A waker that counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct Woken(AtomicUsize);

impl Woken {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (Arc::clone(&woken), Waker::from(woken))
    }

    pub(crate) fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls once, with a waker that nobody hears.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Moves the paused clock in the middle of a poll, as a body does that computes for so long.
pub(crate) fn compute_for(time: Duration) {
    // The clock has moved when the first poll returns; the rest only yields.
    let _ = poll_once(pin!(tokio::time::advance(time)));
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
