//! The value that says why something was cancelled.
//!
//! Only the token that a cancel was called on stores a cancellation; what its descendants see is that same value and a
//! depth. So a chain of a million causes costs nothing to make, to clone or to drop.

mod cause;
mod origin;
mod reason;
mod serial;

pub use cause::Cancellation;
pub use origin::Origin;
pub use reason::Reason;
