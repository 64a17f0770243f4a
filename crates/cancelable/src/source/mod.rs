//! What may cancel an operation from outside: a source is a future that says why.
//!
//! The driver of an operation polls its sources; to stop one is to drop it.

mod condition;

use std::pin::Pin;

use cancelable_core::Cancellation;

pub use condition::Answer;
pub(crate) use condition::condition;

/// A source, ready to be polled.
pub(crate) type Source = Pin<Box<dyn Future<Output = Cancellation> + Send>>;
