//! What there is to know about an operation, as values: its status, its progress and pace, and a snapshot of it all.
//!
//! How operations run is the business of the `cancelable` crate.

mod context;
mod pace;
mod progress;
mod status;

pub use context::OperationContext;
pub use pace::Pace;
pub use progress::Progress;
pub use status::OperationStatus;
