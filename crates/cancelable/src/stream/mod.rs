//! Streams of an operation: counted, reported, and over with it.

mod chunks;
mod items;
mod kept;
mod metered;

pub use chunks::Chunks;
pub use items::OperationStream;
pub use kept::Kept;
