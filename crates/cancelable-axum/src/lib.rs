//! axum handlers that stop when nobody waits for them: each request is an operation, named by its route.
//!
//! | to | see |
//! |---|---|
//! | run requests as operations, with a limit and a policy for each route | [`layer`], [`CancelableLayer`], [`Disconnect`] |
//! | have the operation in a handler | [`CurrentOperation`] |
//! | use `?` on what was cancelled | [`Cancelled`] |
//! | stream events that say why they end, or bytes | [`sse()`], [`streaming`] |
//! | have WebSockets that end with their clients | `ws::OperationUpgrade`, with the feature `ws` |
//! | stop the service | [`Shutdown`] |
//!
//! ```
//! use axum::{Router, routing::{get, post}};
//! use cancelable::{Cancelable, Cancellation};
//! use cancelable_axum::{Cancelled, CurrentOperation, Disconnect, Shutdown, layer};
//! use std::time::Duration;
//!
//! async fn report(op: CurrentOperation) -> Result<String, Cancelled> {
//!     op.check()?;
//!     let rows = Cancelable::new().timeout(Duration::from_secs(2)).run(async |_| 7).await?;
//!     Ok(format!("{rows} rows"))
//! }
//!
//! async fn order() -> &'static str {
//!     "placed, though nobody may be there to hear it"
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let shutdown = Shutdown::new();
//! let app = Router::new()
//!     .route("/report", get(report))
//!     .route("/orders", post(order).layer(layer().disconnect(Disconnect::Detach)))
//!     .layer(layer().timeout(Duration::from_secs(30)).shutdown(&shutdown));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("http://{}/report", listener.local_addr()?);
//! let serving = axum::serve(listener, app).with_graceful_shutdown(shutdown.begun());
//! # let serving = tokio::spawn(async { serving.await });
//! # assert_eq!(reqwest::get(url).await?.text().await?, "7 rows");
//! # shutdown.begin();
//! # serving.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `ws`: WebSockets that are operations.

mod cancelled;
mod current;
mod layer;
mod sse;
mod streaming;
mod upload;
#[cfg(feature = "ws")]
pub mod ws;

pub use cancelable_http::{Answer, Disconnect, Report, RequestHead, SaysWhy, Shutdown};
pub use cancelled::Cancelled;
pub use current::{CurrentOperation, NoOperation};
pub use layer::layer;
pub use sse::{EventsOfOperation, sse};
pub use streaming::streaming;
pub use upload::AxumUpload;

/// The layer of [`layer()`], which leaves axum's body what it is.
pub type CancelableLayer = cancelable_http::CancelableLayer<AxumUpload>;

/// A service whose requests are operations; made by a [`CancelableLayer`].
pub type CancelableService<S> = cancelable_http::CancelableService<S, AxumUpload>;

/// The examples of the page about axum are tests of this crate.
#[cfg(all(doctest, feature = "ws"))]
#[doc = include_str!("../../../docs/axum.md")]
struct AxumPage;
