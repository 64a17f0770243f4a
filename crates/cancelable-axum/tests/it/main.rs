//! axum services on real sockets, and clients that leave them.

#![expect(
    clippy::unwrap_used,
    reason = "a test, or what helps one, panics where it fails"
)]

mod answers;
mod events;
mod leaving;
mod names;
mod shutdown;
#[cfg(feature = "ws")]
mod sockets;
mod streams;
mod support;
mod uploads;
