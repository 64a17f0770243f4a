//! WebSockets that are operations: they end with their client, and say why they end otherwise.
//!
//! [`OperationUpgrade`] is an extractor as axum's `WebSocketUpgrade` is. Its callback runs as an operation of its own, with a
//! [`Socket`] whose `recv` and `send` fail with the [`Cancellation`](cancelable::Cancellation) once that was asked to stop.
//!
//! ```
//! use axum::{Router, response::Response, routing::any};
//! use cancelable::{Cancellation, Operation};
//! use cancelable_axum::Shutdown;
//! use cancelable_axum::ws::{OperationUpgrade, Socket};
//! use std::time::Duration;
//!
//! async fn echo(mut socket: Socket, _: Operation) -> Result<(), Cancellation> {
//!     loop {
//!         let message = socket.recv().await?;
//!         socket.send(message).await?;
//!     }
//! }
//!
//! let shutdown = Shutdown::new();
//! let handler = async move |upgrade: OperationUpgrade| -> Response {
//!     upgrade.timeout(Duration::from_secs(3600)).shutdown(&shutdown).on_upgrade(echo)
//! };
//! let app: Router = Router::new().route("/rooms/{room}", any(handler));
//! ```
//!
//! # When the client leaves
//!
//! One that closes or vanishes cancels the operation with reason [`Disconnected`](cancelable::Reason::Disconnected), also while
//! nobody receives: the socket is read ahead for that, up to [64 KiB](READ_AHEAD); beyond those the client is held up, and a
//! disconnect is seen late. Pings and pongs do not fill that; nor does anything where the [`Receiver`] was dropped. What came before
//! the client left can still be received, in order, by whoever has time left for that. A client whose network is gone without a
//! word is seen when something is sent to it.
//!
//! # When the operation ends
//!
//! The client is sent a close frame, with a code that says why, and has five seconds to answer it:
//!
//! | the operation | code |
//! |---|---|
//! | has finished, and nothing was closed by hand | 1000, normal closure |
//! | was cancelled by a shutdown or a signal | 1001, going away |
//! | ran out of time, met an error, panicked | 1011, internal error |
//! | was cancelled for any other reason | 1008, policy violation |
//!
//! The reason in the frame is the message of the cancel, as much as fits; of a panic nothing is told.

mod closing;
mod leaving;
mod pump;
mod receive;
mod send;
mod shared;
mod socket;
mod upgrade;

pub use receive::Receiver;
pub use send::Sender;
pub use shared::READ_AHEAD;
pub use socket::Socket;
pub use upgrade::OperationUpgrade;
