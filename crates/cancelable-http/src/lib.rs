//! Requests that stop when nobody waits for them: disconnects, deadlines in and out, and graceful shutdown, for tower.
//!
//! [`CancelableLayer`] runs each request of a service as an operation, which ends with its limit, with a [`Shutdown`], or with a client
//! that leaves, as [`Disconnect`] says; it lasts until the last frame of the response was handed over.
//!
//! ```
//! # #[cfg(feature = "tower")] mod example {
//! use bytes::Bytes;
//! use cancelable::Operation;
//! use cancelable_http::{CancelableLayer, DeadlineHeaders, Disconnect, Shutdown};
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! async fn answer<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     let op = Operation::current().expect("the layer made one");
//!     // What must not be cut in two, whoever leaves; what comes after it need not be done.
//!     op.shield(tokio::time::sleep(Duration::from_secs(1))).await;
//!     Ok(Response::new(Full::new(Bytes::from(format!("{:?} left", op.remaining().unwrap())))))
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] pub(super) async fn main() {
//! let shutdown = Shutdown::new().grace(Duration::from_secs(10));
//! let layer = CancelableLayer::new()
//!     .timeout(Duration::from_secs(30))
//!     .deadline_headers(DeadlineHeaders::own())
//!     .disconnect(Disconnect::Grace(Duration::from_secs(2)))
//!     .shutdown(&shutdown)
//!     .registered();
//! let service = layer.layer(service_fn(answer));
//!
//! let request = Request::builder().header("x-cancelable-timeout-ms", "3000").body(()).unwrap();
//! let response = service.oneshot(request).await.unwrap();
//! assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "2s left");
//! # }}
//! # #[cfg(feature = "tower")] example::main();
//! ```
//!
//! | to | see |
//! |---|---|
//! | run requests as operations, with a limit, a name and a policy | [`CancelableLayer`], [`Disconnect`], [`RequestHead`] |
//! | answer what was cancelled as the layer does | [`Answer`] |
//! | let clients say how long they wait | [`DeadlineHeaders`] |
//! | tell services how long one waits, and end calls with their operation | [`DeadlineLayer`], [`CallCancelled`] |
//! | the same with reqwest | `DeadlineMiddleware`, with that feature |
//! | read and write one deadline header by hand | [`DeadlineHeader`], [`NoTimeLeft`] |
//! | stop a service, and know who is left | [`Shutdown`], [`Report`] |
//!
//! A deadline travels as the time that remains, in a header: [`DeadlineHeaders`] reads what a client sent, and
//! [`DeadlineHeader`] writes what is left. [`DeadlineLayer`] does so for each call of a client, which it ends with the operation
//! that makes it.
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
    Answer, AnyUpload, CancelableLayer, CancelableService, Disconnect, RequestBody, RequestHead,
    ResponseBody, ResponseFuture, SaysWhy, UnwatchedUpload, Upload, Uploads,
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
