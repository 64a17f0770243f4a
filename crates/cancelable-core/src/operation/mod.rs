//! What there is to know about an operation, as values: its status, its progress and pace, and a snapshot of it all.
//!
//! How operations run is the business of the `cancelable` crate.

mod context;
mod live;
mod pace;
mod progress;
mod status;
mod version;

pub use context::OperationContext;
pub use live::LiveOperation;
pub use pace::Pace;
pub use progress::Progress;
pub use status::OperationStatus;
