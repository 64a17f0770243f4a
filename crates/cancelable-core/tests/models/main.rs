//! The laws of tokens under every interleaving of two or three threads, by loom, through the public API.
//!
//! ```text
//! RUSTFLAGS="--cfg cancelable_loom" LOOM_MAX_PREEMPTIONS=2 CARGO_TARGET_DIR=target/loom \
//!     cargo test -p cancelable-core --release --test models
//! ```
//!
//! # Limits
//!
//! - Two preemptions: every schedule in which threads are interrupted at most twice, and each of them with every value that
//!   a relaxed or acquiring load may return. What needs three is not seen.
//! - loom knows no time: deadlines, and waits with a timeout, have no model.
//! - A model has few threads and few tokens; what needs many (the width of a tree, its depth) is for the other tests.
//! - loom treats `SeqCst` as `AcqRel`. No `SeqCst` is used here.

#![cfg(cancelable_loom)]

mod callbacks;
mod cancels;
mod children;
mod links;
mod parking;
mod splices;
mod visible;
mod waits;
mod weak;

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use cancelable_core::{Cancellation, CancellationToken, Reason};
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// A waker that counts how often it was called. As every executor's does, it passes on what its caller has seen.
struct Bell(AtomicUsize);

impl Bell {
    fn new() -> (Arc<Self>, Waker) {
        let bell = Arc::new(Self(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&bell));
        (bell, waker)
    }

    fn has_rung(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Something that is counted by relaxed operations, so that the counting orders nothing.
#[derive(Clone)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn new() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many parents lie between the token and the one that was cancelled.
fn generations(token: &CancellationToken) -> usize {
    let mut why = token.cancellation().expect("cancelled");
    let mut generations = 0;
    while why.reason() == Reason::Parent {
        why = why.cause().expect("a parent's cancellation has a cause");
        generations += 1;
    }
    generations
}

fn message(why: Option<Cancellation>) -> String {
    why.expect("cancelled").root_cause().message().into_owned()
}

/// Runs `model` under every interleaving, twice: as it is, and with the first thread that is started ahead of the rest.
///
/// loom begins with the thread that runs and looks for others by what depends on each other. But it remembers one access of
/// a kind for each object, the last; so where one thread reads what the other first reads and then writes, it may never try
/// the write before the read. That the other goes first makes up for it. (Giving way by a yield would not do: after that
/// loom no longer offers the values that were seen before.)
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    for gives_way in [false, true] {
        let model = Arc::clone(&model);
        loom::model(move || {
            GIVES_WAY.set(gives_way);
            model();
        });
    }
}

thread_local! {
    /// loom runs all threads of a model on the one that asked for it.
    static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` on a thread of the model.
fn start<T: 'static>(f: impl FnOnce() -> T + 'static) -> thread::JoinHandle<T> {
    let handle = thread::spawn(f);
    if GIVES_WAY.replace(false) {
        thread::spawn(|| ()).join().expect("does nothing");
    }
    handle
}

/// Two handles to one token.
fn both(token: &CancellationToken) -> (CancellationToken, CancellationToken) {
    (token.clone(), token.clone())
}
