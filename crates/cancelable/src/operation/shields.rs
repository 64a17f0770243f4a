//! What keeps a driver from dropping what it polls, though it is to stop: shielded sections in it (O5), and operations in it
//! that have something to see to first.
//!
//! Each body has one of these, made on first need, and each spawned task. Whoever polls asks [`Shields::spare`] before
//! dropping; whoever shields holds a [`Held`].

use std::sync::Arc;
use std::task::{Context, Waker};

use parking_lot::Mutex;

use super::current::{self, Frame};

/// The shields of one body or task.
#[derive(Debug, Default)]
pub(crate) struct Shields {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many sections are open.
    depth: usize,
    /// How many operations inside want one more poll once they are asked to stop: to begin to end, which is a section.
    farewells: usize,
    /// Whether that poll was given.
    has_said_farewell: bool,
    /// Of the driver that would drop what it polls but for an open section.
    waiting: Option<Waker>,
}

impl Shields {
    /// Whether what is polled must not be dropped yet. The task is woken when that may have changed.
    pub(crate) fn spare(&self, cx: &Context<'_>) -> bool {
        // Cloned before and dropped after the lock is held: somebody else's code.
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        if state.depth > 0 {
            let old = state.waiting.replace(waker);
            drop(state);
            drop(old);
            return true;
        }
        let is_farewell = state.farewells > 0 && !state.has_said_farewell;
        state.has_said_farewell |= is_farewell;
        drop(state);
        if is_farewell {
            waker.wake();
        }
        is_farewell
    }

    fn open(&self) {
        self.state.lock().depth += 1;
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.depth -= 1;
        let waker = if state.depth == 0 {
            state.waiting.take()
        } else {
            None
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Keeps everybody who polls this thread's code from dropping it, until this is dropped.
#[derive(Debug)]
#[must_use = "dropped, it shields nothing"]
pub(crate) struct Held {
    frames: Vec<Frame>,
}

impl Held {
    /// Shields what runs here from all that enclose it.
    pub(crate) fn here() -> Self {
        let frames = current::frames();
        for frame in &frames {
            frame.shields.open();
        }
        Self { frames }
    }

    /// Lets go, and says whether somebody waits to drop what was shielded: then it is to be pending once more.
    pub(crate) fn release(mut self) -> bool {
        let frames = std::mem::take(&mut self.frames);
        for frame in &frames {
            frame.shields.close();
        }
        frames
            .iter()
            .any(|frame| frame.operation.record.is_out_of_grace())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for frame in &self.frames {
            frame.shields.close();
        }
    }
}

/// Has everybody who polls this thread's code give it one more poll before dropping it, for as long as this lives.
#[derive(Debug)]
#[must_use = "dropped, it asks for nothing"]
pub(crate) struct Farewell {
    shields: Vec<Arc<Shields>>,
}

impl Farewell {
    /// For what runs here.
    pub(crate) fn here() -> Self {
        let shields: Vec<_> = current::frames()
            .into_iter()
            .map(|frame| frame.shields)
            .collect();
        for shields in &shields {
            shields.state.lock().farewells += 1;
        }
        Self { shields }
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        for shields in &self.shields {
            shields.state.lock().farewells -= 1;
        }
    }
}
