//! Requests that stop when nobody waits for them: disconnects, deadlines in and out, and graceful shutdown, for tower.
//!
//! A deadline travels as the time that remains, in a header: [`DeadlineHeaders`] reads what a client sent, and
//! [`DeadlineHeader`] writes what is left. [`DeadlineLayer`] does
//! so for each call of a client, which it ends with the operation that makes it.
//!
//! # Features
//!
//! - `tower` (default): layers for servers and clients, and graceful shutdown. Without it the crate depends on nothing, and has
//!   only what reads and writes the headers.
//! - `reqwest`: a middleware for reqwest's client.

#[cfg(feature = "tower")]
mod client;
mod deadline;

#[cfg(feature = "reqwest")]
pub use client::DeadlineMiddleware;
#[cfg(feature = "tower")]
pub use client::{CallCancelled, DeadlineCall, DeadlineLayer, DeadlineService};
pub use deadline::{DeadlineHeader, DeadlineHeaders, NoTimeLeft};
