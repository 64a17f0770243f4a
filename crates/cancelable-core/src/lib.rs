//! Cancellation tokens that say *why*: a tree of tokens with reasons, links, deadlines, callbacks and waits, for any
//! thread and any executor.
//!
//! This is the core of the [`cancelable`](https://docs.rs/cancelable) crate, which re-exports all of it and adds
//! operations on tokio. Use this crate alone where no async runtime is wanted: nothing here needs one.
//!
//! ```
//! use cancelable_core::{CancellationToken, Reason};
//!
//! let shutdown = CancellationToken::new();
//! let request = shutdown.child_token();
//!
//! shutdown.cancel_with("the operator pressed the button");
//!
//! let why = request.cancellation().expect("a child is cancelled with its parent");
//! assert_eq!(why.reason(), Reason::Parent);
//! assert_eq!(why.root_cause().message(), "the operator pressed the button");
//! ```
//!
//! # Where things are
//!
//! - [`CancellationToken`]: the handle; cheap to clone, every method on any thread.
//! - [`Cancellation`]: the value that says why, with its [`Reason`] and [`Origin`].
//! - [`Registration`], [`DropGuard`]: what undoes itself when dropped.
//! - [`OperationContext`], [`OperationStatus`], [`Progress`], [`Pace`]: what there is to know about an operation.
//! - [`Registry`]: who runs and who ran; listing, watching and cancelling by id.

mod cancellation;
mod operation;
mod registry;
mod serial;
mod sync;
mod timer;
mod token;

pub use cancellation::{Cancellation, Origin, Reason};
pub use operation::{LiveOperation, OperationContext, OperationStatus, Pace, Progress};
pub use registry::{
    Active, CancelReply, Cursor, DuplicateId, Durations, Ended, Event, Filter, Heard,
    InvalidCursor, InvalidPattern, OperationTree, Outcome, Page, Registered, Registry, Statistics,
    Subscription, TreeNode, What,
};
pub use token::{
    CancellationToken, Cancelled, CancelledOwned, DropGuard, DropGuardRef, Marked, Registration,
    RunUntilCancelled, RunUntilCancelledOwned, WakerSlot, WeakCancellationToken,
};
