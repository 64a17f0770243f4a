//! Calls that are over with the operation that makes them, and tell whom they call how long that has.

mod caller;
mod error;
mod layer;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tonic")]
mod status;

pub use error::CallCancelled;
pub use layer::{DeadlineCall, DeadlineLayer, DeadlineService};

#[cfg(feature = "reqwest")]
pub use self::reqwest::DeadlineMiddleware;
