//! [`Script`], the test's end of a scripted source.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Waker};

use cancelable::Cancellation;
use parking_lot::Mutex;

/// The test's end of a [`ScriptedSource`](super::ScriptedSource): has it fire, and knows what became of it.
///
/// Cloning gives another; it may be used on any thread, and outlive the source.
#[derive(Clone)]
pub struct Script {
    shared: Arc<Shared>,
}

impl Script {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let shared = Arc::clone(shared);
        Self { shared }
    }

    /// Has the source fire, or panic, when it is polled next, which it is woken for; `false` if it is too late for that, or if
    /// it never fires.
    pub fn fire(&self) -> bool {
        self.shared.say(None)
    }

    /// The same with a reason: a message, a reason, or a whole cancellation.
    pub fn fire_with(&self, why: impl Into<Cancellation>) -> bool {
        self.shared.say(Some(why.into()))
    }

    /// Whether the source was told of its operation's start.
    pub fn has_begun(&self) -> bool {
        self.shared.state.lock().has_begun
    }

    /// How often the source was polled.
    pub fn polls(&self) -> usize {
        self.shared.state.lock().polls
    }

    /// Whether the source has fired, or panicked.
    pub fn has_fired(&self) -> bool {
        self.shared.state.lock().has_fired
    }

    /// Whether the source is gone.
    pub fn is_dropped(&self) -> bool {
        self.shared.state.lock().is_dropped
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("Script")
            .field("has_begun", &state.has_begun)
            .field("polls", &state.polls)
            .field("has_fired", &state.has_fired)
            .field("is_dropped", &state.is_dropped)
            .finish()
    }
}

/// What a source and its script both know.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_silent: bool,
    has_begun: bool,
    polls: usize,
    has_fired: bool,
    is_dropped: bool,
    /// That it is to fire, and with what.
    said: Option<Option<Cancellation>>,
    waker: Option<Waker>,
}

impl Shared {
    pub(super) fn fall_silent(&self) {
        self.state.lock().is_silent = true;
    }

    pub(super) fn note_begun(&self) {
        self.state.lock().has_begun = true;
    }

    pub(super) fn note_fired(&self) {
        self.state.lock().has_fired = true;
    }

    pub(super) fn note_dropped(&self) {
        let mut state = self.state.lock();
        state.is_dropped = true;
        let waker = state.waker.take();
        drop(state);
        drop(waker);
    }

    /// One more poll: which it is, and what the script has said.
    pub(super) fn poll(&self, cx: &Context<'_>) -> (usize, Option<Option<Cancellation>>) {
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        state.polls += 1;
        let old = state.waker.replace(waker);
        let polled = (state.polls, state.said.take());
        drop(state);
        drop(old);
        polled
    }

    fn say(&self, why: Option<Cancellation>) -> bool {
        let mut state = self.state.lock();
        let is_late = state.has_fired || state.is_dropped || state.said.is_some();
        if state.is_silent || is_late {
            return false;
        }
        state.said = Some(why);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}
