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
//! - `tonic`: the status that says so for calls of tonic's clients that end with their operation.

#[cfg(feature = "tower")]
mod client;
mod deadline;
#[cfg(feature = "tower")]
mod server;
#[cfg(feature = "tower")]
mod shutdown;

#[cfg(feature = "reqwest")]
pub use client::DeadlineMiddleware;
#[cfg(feature = "tower")]
pub use client::{CallCancelled, DeadlineCall, DeadlineLayer, DeadlineService};
pub use deadline::{DeadlineHeader, DeadlineHeaders, NoTimeLeft};
#[cfg(feature = "tower")]
pub use server::{
    Answer, CancelableLayer, CancelableService, Disconnect, RequestHead, ResponseBody,
    ResponseFuture,
};
#[cfg(feature = "tower")]
pub use shutdown::{Report, Shutdown};

/// The examples of the page about servers are tests of this crate.
#[cfg(all(doctest, feature = "tower"))]
#[doc = include_str!("../../../docs/tower.md")]
struct TowerPage;

/// The examples of the page about deadlines are tests of this crate.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../../../docs/deadlines.md")]
struct DeadlinesPage;
