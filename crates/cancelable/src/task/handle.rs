//! [`TaskHandle`], by which a spawned task or thread is awaited.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::{Cancellation, Reason};
use tokio::task::{JoinError, JoinHandle};

/// What a task or thread of an operation gives; made by [`Operation::spawn`](crate::Operation::spawn) and
/// [`Operation::spawn_blocking`](crate::Operation::spawn_blocking).
///
/// Awaited, it gives the value, or why there is none: the operation was cancelled, or something in it panicked, or the runtime
/// is shutting down. Dropped, it stops nothing.
///
/// # Cancel safety
///
/// The future can be dropped at any time and keeps nothing from running; a value that was not taken is dropped.
#[must_use = "awaited, it gives what the task does; `drop` it where nobody wants to know"]
pub struct TaskHandle<T>(State<T>);

enum State<T> {
    Spawned(JoinHandle<Result<T, Cancellation>>),
    /// Never spawned, for this reason.
    Refused(Cancellation),
}

impl<T> TaskHandle<T> {
    pub(super) fn new(spawned: JoinHandle<Result<T, Cancellation>>) -> Self {
        Self(State::Spawned(spawned))
    }

    pub(super) fn refused(why: Cancellation) -> Self {
        Self(State::Refused(why))
    }

    /// Whether it has ended, however it did.
    pub fn is_finished(&self) -> bool {
        match &self.0 {
            State::Spawned(spawned) => spawned.is_finished(),
            State::Refused(_) => true,
        }
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T, Cancellation>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Spawned(spawned) => Pin::new(spawned)
                .poll(cx)
                .map(|joined| joined.unwrap_or_else(|error| Err(gone(&error)))),
            State::Refused(why) => Poll::Ready(Err(why.clone())),
        }
    }
}

/// Panics are caught before they reach the runtime; so it is the runtime that has given up.
fn gone(error: &JoinError) -> Cancellation {
    let message = format!("the runtime dropped the task: {error}");
    Cancellation::new(Reason::Shutdown).with_message(message)
}

impl<T> fmt::Debug for TaskHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
