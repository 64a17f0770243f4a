//! The machine's memory, processor and disk as sources.
//!
//! `plan` says which are watched and from where on they are too full, `sampler` reads the machine, `judge` decides by what
//! was read.

mod error;
mod judge;
mod plan;
mod sampler;
#[cfg(test)]
mod tests;

pub use error::InvalidResources;
pub use plan::{ResourceSource, Resources, resources};
