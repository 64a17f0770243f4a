//! Servers and clients that stop when nobody waits, through the public API.

#![expect(
    clippy::unwrap_used,
    reason = "a test, or what helps one, panics where it fails"
)]

mod client;
mod deadline_headers;
mod deadline_headers_random;
mod server;
#[cfg(feature = "tower")]
mod shutdown;
#[cfg(all(feature = "tower", unix))]
mod shutdown_signals;
