//! What a client that goes away does to its operation.

use std::time::Duration;

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
