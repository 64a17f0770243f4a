//! Deadlines as headers: the time that remains, so that the clocks of two machines need not agree (X1).

mod header;
mod headers;

pub use header::{DeadlineHeader, NoTimeLeft};
pub use headers::DeadlineHeaders;
