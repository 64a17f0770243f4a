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
mod splices;
mod visible;
mod waits;
mod weak;

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

/// Runs `f` on a thread of the model.
fn start<T: 'static>(f: impl FnOnce() -> T + 'static) -> thread::JoinHandle<T> {
    thread::spawn(f)
}

/// Two handles to one token.
fn both(token: &CancellationToken) -> (CancellationToken, CancellationToken) {
    (token.clone(), token.clone())
}
