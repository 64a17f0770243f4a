//! [`LiveOperation`], what an operation lets others ask of it while it runs.

use std::time::Duration;

use serde_json::Value;

use super::{OperationContext, OperationStatus};
use crate::Cancellation;

/// What may be asked of a live operation by whoever lists it, such as a [`Registry`](crate::Registry).
///
/// It is implemented by what runs operations, so that an operation need not know who looks in. All of it may be called on
/// any thread and at any time, also after the end; no lock of a registry is held meanwhile.
pub trait LiveOperation: Send + Sync + 'static {
    /// The id; it never changes.
    fn id(&self) -> &str;

    /// Which attempt at the work with this id it is, from 1.
    fn attempt(&self) -> u32;

    /// The name that the program gave, if any.
    fn name(&self) -> Option<&str>;

    /// The id of the operation that it runs in, if any.
    fn parent_id(&self) -> Option<&str>;

    /// Where it stands.
    fn status(&self) -> OperationStatus;

    /// How long it has been running, or took.
    fn age(&self) -> Duration;

    /// How long ago it was asked to stop, if it was.
    fn since_asked(&self) -> Option<Duration>;

    /// Whether its metadata has this value under this key.
    fn has_metadata(&self, key: &str, value: &Value) -> bool;

    /// A snapshot of all that is known about it.
    fn context(&self) -> OperationContext;

    /// Asks it to stop; `true` if this was the first ask.
    fn cancel_with(&self, why: Cancellation) -> bool;
}
