//! Cancelling that says why: operations with time limits, tokens, signals and conditions, on tokio and on plain threads.
//!
//! [`Cancelable`] says how an operation may end. Its body gets an [`Operation`], the handle to what is running. Whoever ran
//! it gets the value, or the [`Cancellation`] that says why there is none.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! use cancelable::{Cancelable, CancellationToken, Reason};
//! use std::time::Duration;
//!
//! let stop = CancellationToken::new();
//! let sum = Cancelable::new()
//!     .timeout(Duration::from_secs(10))
//!     .token(&stop)
//!     .run(async |op| {
//!         let mut items = op.stream(futures_util::stream::iter([1, 2, 3]));
//!         let mut sum = 0;
//!         while let Some(item) = futures_util::StreamExt::next(&mut items).await {
//!             sum += item?;
//!         }
//!         Ok::<i32, cancelable::Cancellation>(sum)
//!     })
//!     .await;
//! assert_eq!(sum.unwrap().unwrap(), 6);
//! # }
//! ```
//!
//! # Where things are
//!
//! | to | see |
//! |---|---|
//! | cancel something, from anywhere, and say why | [`CancellationToken`], [`Cancellation`], [`Reason`], [`Origin`] |
//! | give work a limit, a name, a way to be stopped | [`Cancelable`], or the attribute [`macro@cancelable`] |
//! | ask, report and stream from inside | [`Operation`], [`OperationStream`], [`Progress`] |
//! | clean up in spite of a cancel | [`Operation::shield`], [`Cancelable::grace`], [`Cancelable::finalizer`] |
//! | work in tasks, threads and CPU loops that are told | [`Operation::spawn`], [`Operation::spawn_blocking`], [`checkpoint`] |
//! | try again, but no cancel, and not when it would be too late | `Operation::retry`, with the feature `backon` |
//! | look at it from outside | [`OperationContext`], [`OperationStatus`], [`Registry`] with [`Filter`] |
//! | combine what may end it: any of, all of, nested | [`source`] |
//! | name a signal | [`Signal`] |
//!
//! # Features
//!
//! - `backon`: attempts that are made again, with that crate's back-offs in between; see `Operation::retry`.
//! - `resources`: the machine's memory, processor and disk as sources; see `source::resources`.
//! - `tokio-util`: links to and from that crate's tokens; see [`TokioUtilTokens`].

mod alarm;
mod builder;
#[cfg(feature = "tokio-util")]
mod interop;
mod operation;
mod panic;
#[cfg(feature = "backon")]
pub mod retry;
mod run;
mod shield;
mod signal;
pub mod source;
mod stream;
mod task;

pub use builder::Cancelable;
pub use cancelable_core::{
    Active, CancelReply, Cancellation, CancellationToken, Cancelled, CancelledOwned, Cursor,
    DropGuard, DropGuardRef, DuplicateId, Durations, Ended, Event, Filter, Heard, InvalidCursor,
    InvalidPattern, LiveOperation, Marked, OperationContext, OperationStatus, OperationTree,
    Origin, Outcome, Pace, Page, Progress, Reason, Registered, Registration, Registry,
    RunUntilCancelled, RunUntilCancelledOwned, Statistics, Subscription, TreeNode, WakerSlot,
    WeakCancellationToken, What,
};
pub use cancelable_macros::cancelable;
#[cfg(feature = "tokio-util")]
pub use interop::TokioUtilTokens;
pub use operation::{Cleanup, Operation, WeakOperation};
pub use run::Entered;
pub use shield::{LimitedShield, Shield};
pub use signal::{InvalidSignal, Signal};
pub use source::{Answer, Source};
pub use stream::{Chunks, Kept, OperationStream};
pub use task::{TaskHandle, checkpoint};

/// The examples of the README are tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
