//! Who listens to a token, and telling them, after everything is marked and outside every lock (T8).

use std::task::Waker;

use crate::Cancellation;
use crate::sync::{Arc, Last};
use crate::timer;

use super::deadline;
use super::node::{Callback, Inner, Node};

/// What was taken from one node that was marked.
#[derive(Default)]
pub(super) struct Listeners {
    first_waiter: Option<Waker>,
    waiters: slab::Slab<Waker>,
    callbacks: std::collections::BTreeMap<u64, Callback>,
    deadline: Option<timer::Key>,
}

impl Listeners {
    /// Takes them out of a node; its lock is held.
    pub(super) fn take(inner: &mut Inner) -> Self {
        let first_waiter = inner.first_waiter.take();
        match &mut inner.more {
            None => Self {
                first_waiter,
                ..Self::default()
            },
            Some(more) => Self {
                first_waiter,
                waiters: std::mem::take(&mut more.waiters),
                callbacks: std::mem::take(&mut more.callbacks),
                deadline: more
                    .deadline
                    .as_mut()
                    .and_then(|deadline| deadline.timer.take()),
            },
        }
    }

    fn is_empty(&self) -> bool {
        self.first_waiter.is_none()
            && self.waiters.is_empty()
            && self.callbacks.is_empty()
            && self.deadline.is_none()
    }
}

/// Everybody that a cancel has to tell.
#[derive(Default)]
pub(super) struct Told {
    wakers: Vec<Waker>,
    callbacks: Vec<(Cancellation, Callback)>,
    deadlines: Vec<timer::Key>,
    /// Nodes whose last pointer was the canceller's, and which may have ancestors with callbacks of their own: what those
    /// captured is the user's, and must not be dropped under the marking lock.
    gone: Vec<Last<Node>>,
}

impl Told {
    /// Adds the listeners of a node that is this many generations below the one that `why` is for.
    pub(super) fn add(&mut self, why: &Cancellation, generations: usize, listeners: Listeners) {
        if listeners.is_empty() {
            return;
        }
        self.wakers.extend(listeners.first_waiter);
        self.wakers
            .extend(listeners.waiters.into_iter().map(|(_, waker)| waker));
        self.callbacks.extend(
            listeners
                .callbacks
                .into_values()
                .map(|callback| (why.below(generations), callback)),
        );
        self.deadlines.extend(listeners.deadline);
    }

    /// Adds whom another cancel has to tell, after these.
    pub(super) fn append(&mut self, mut other: Self) {
        self.wakers.append(&mut other.wakers);
        self.callbacks.append(&mut other.callbacks);
        self.deadlines.append(&mut other.deadlines);
        self.gone.append(&mut other.gone);
    }

    /// Lets go of a node that was looked at.
    #[inline]
    pub(super) fn let_go(&mut self, node: Arc<Node>) {
        // Hardly ever the last: then it is not worth the room that a whole node takes on the way.
        if let Some(last) = Arc::into_inner(node) {
            self.keep(last);
        }
    }

    #[cold]
    fn keep(&mut self, last: Last<Node>) {
        self.gone.push(last);
    }

    /// Wakes, then calls, on this thread. What panics is caught: the panic hook has reported it, and the next is told.
    pub(super) fn tell(mut self) {
        self.wake();
        self.call();
    }

    /// The same for the timer's thread, which waits for nothing of the user's but wakers.
    pub(super) fn tell_from_timer(mut self) {
        self.wake();
        if !(self.callbacks.is_empty() && self.gone.is_empty()) {
            timer::run_aside(Box::new(move || self.call()));
        }
    }

    /// Wakes here, and calls on a thread beside, where `handle` is dropped after that: for callers that may hold locks.
    pub(super) fn tell_aside(mut self, handle: impl Send + 'static) {
        self.wake();
        timer::run_aside(Box::new(move || {
            self.call();
            drop(handle);
        }));
    }

    fn wake(&mut self) {
        for key in self.deadlines.drain(..) {
            deadline::disarm(key);
        }
        for waker in self.wakers.drain(..) {
            quietly(|| waker.wake());
        }
    }

    fn call(&mut self) {
        for (why, callback) in self.callbacks.drain(..) {
            quietly(|| callback(&why));
        }
        for node in self.gone.drain(..) {
            quietly(|| drop(node));
        }
    }
}

/// Calls `f`, and survives its panic.
pub(super) fn quietly(f: impl FnOnce()) {
    timer::call_quietly(f);
}
