//! [`WeakOperation`], a handle that keeps nothing.

use std::fmt;
use std::sync::{Arc, Weak};

use super::Operation;
use super::record::Record;

/// A handle to an operation that does not keep what is known of it; made by [`Operation::downgrade`].
///
/// For lists of operations: who is in one is not kept by it.
#[derive(Clone)]
pub struct WeakOperation {
    record: Weak<Record>,
}

impl Operation {
    /// A handle that does not keep what is known of the operation.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::Cancelable;
    ///
    /// let outcome = Cancelable::new()
    ///     .run(async |op| {
    ///         let weak = op.downgrade();
    ///         weak.upgrade().expect("it runs").cancel_with("found again");
    ///         op.cancelled().await;
    ///         weak
    ///     })
    ///     .await;
    /// assert!(outcome.unwrap().upgrade().is_none());
    /// # }
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakOperation {
        // A driver whose handle is the only one relies on nobody asking or looking; from now on somebody may.
        self.record.expect_visitors();
        WeakOperation {
            record: Arc::downgrade(&self.record),
        }
    }
}

impl WeakOperation {
    /// A whole handle, while there is one, which there is until the operation has ended.
    #[must_use]
    pub fn upgrade(&self) -> Option<Operation> {
        let record = self.record.upgrade()?;
        Some(Operation { record })
    }
}

impl fmt::Debug for WeakOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakOperation")
            .field(&self.upgrade())
            .finish()
    }
}
