//! What a client that goes away does to its operation.

use std::time::Duration;

use cancelable::{Operation, Reason};

/// What it means for a request's operation that its client has gone away before the response was complete.
///
/// It is chosen for each route: reading something for somebody who has left is of no use, and an order that was placed is to be
/// placed. Whatever is chosen, limits, shutdowns and cancels by hand end the operation as ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disconnect {
    /// Asks it to stop, with reason [`Disconnected`](cancelable::Reason::Disconnected): the default. What its shields, tasks,
    /// finalizers and the grace that its plan gives are owed, they are given.
    #[default]
    Cancel,
    /// The same, and gives it so long to finish by itself.
    Grace(Duration),
    /// Lets it go on to its end. That the client has left stands in its metadata: `disconnected: true`. The body of its
    /// response is produced to the end, and thrown away.
    Detach,
    /// The same, with nothing on record.
    Ignore,
}

impl Disconnect {
    /// Whether the operation is asked to stop.
    pub(super) fn asks(self) -> bool {
        match self {
            Self::Cancel | Self::Grace(_) => true,
            Self::Detach | Self::Ignore => false,
        }
    }

    /// Tells the operation.
    pub(super) fn tell(self, operation: &Operation) {
        match self {
            Self::Detach => operation.set_metadata("disconnected", true),
            Self::Grace(grace) => operation.grace_on(Reason::Disconnected, grace),
            Self::Cancel | Self::Ignore => {}
        }
        if self.asks() {
            operation.cancel_with(Reason::Disconnected);
        }
    }
}
