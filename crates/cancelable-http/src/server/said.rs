//! Responses that tell their client of a cancel, and are complete after that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Put beside a response, in its extensions, whose body tells its client of a cancel, such as by a last event.
///
/// A body that ends without an error says to everybody that it was whole, and its operation is Completed, with or without an ask. One
/// that has [said so](Self::said) ends without an error, too, and its operation is Cancelled. `sse` of `cancelable-axum` makes such
/// responses.
#[derive(Clone, Debug, Default)]
pub struct SaysWhy(Arc<AtomicBool>);

impl SaysWhy {
    /// For a response that has said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the body gives now is the last word, on a cancel.
    pub fn said(&self) {
        // Relaxed: whoever asks has polled the body that says it.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the last word was said.
    pub fn has_said(&self) -> bool {
        // Relaxed: see `said`.
        self.0.load(Ordering::Relaxed)
    }
}
