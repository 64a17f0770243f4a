//! What may cancel an operation from outside: a source is a future that says why.
//!
//! An operation is given as many as wanted, by [`Cancelable::source`](crate::Cancelable::source). Its own future polls them:
//! there is no task and no thread behind a source, and to stop one is to drop it. They nest, in any mix: [`any_of`] fires
//! with the first of several, [`all_of`] when every one has fired, [`or`](Source::or) and [`and`](Source::and) do so for two.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! use cancelable::source::{self, Source};
//! use cancelable::{Cancelable, CancellationToken, Reason};
//! use std::time::Duration;
//!
//! let stop = CancellationToken::new();
//! // No sooner than after ten seconds, also if somebody asks before; a minute later whether or not somebody asks.
//! let asked = source::token(&stop).and(source::timeout(Duration::from_secs(10)));
//! let plan = Cancelable::new().source(asked.or(source::timeout(Duration::from_secs(70))));
//!
//! stop.cancel_with("closing time");
//! let why = plan.run(async |_| std::future::pending::<()>().await).await.unwrap_err();
//! assert_eq!(why.reason(), Reason::Timeout);
//! assert_eq!(why.message(), "closing time, and timed out after 10s");
//! # }
//! ```
//!
//! # A source of one's own
//!
//! Is one async block, by [`from_future`]:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use cancelable::{Cancelable, source};
//! use tokio::sync::oneshot;
//!
//! let (hang_up, hung_up) = oneshot::channel::<String>();
//! let gone = source::from_future(async {
//!     match hung_up.await {
//!         Ok(who) => format!("{who} hung up"),
//!         Err(_) => "the line is dead".to_owned(),
//!     }
//! });
//! hang_up.send("the caller".to_owned()).unwrap();
//! let outcome = Cancelable::new().source(gone).run(async |_| std::future::pending::<()>().await).await;
//! assert_eq!(outcome.unwrap_err().message(), "the caller hung up");
//! # }
//! ```
//!
//! One that knows when it fires at the latest, or has to know when its operation starts, implements [`Source`].

mod all_of;
mod any_of;
mod condition;
mod contract;
mod from_future;
#[cfg(feature = "resources")]
mod resources;
mod signal;
mod timeout;
mod token;

pub use all_of::{AllOf, all_of};
pub use any_of::{AnyOf, any_of};
pub use condition::{Answer, Condition, condition};
pub use contract::{BoxedSource, Source};
pub use from_future::{FromFuture, from_future};
#[cfg(feature = "resources")]
pub use resources::{InvalidResources, ResourceSource, Resources, resources};
pub(crate) use signal::listen;
pub use signal::{SignalSource, signal};
pub use timeout::{Timeout, deadline, timeout};
pub use token::{TokenSource, token};
