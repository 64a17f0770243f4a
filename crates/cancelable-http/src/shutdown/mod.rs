//! Graceful shutdown: every operation that is linked to it is asked to stop, and who does not is named.

mod handle;
mod members;
mod report;
mod signals;

pub use handle::Shutdown;
pub use report::Report;
