//! The crate through its public names.

mod findings;
mod recorder;
mod scripted;
mod sweep;
