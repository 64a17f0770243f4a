//! What it means for an operation that its client has left.

use cancelable::{Cancellation, Operation, Reason};
use cancelable_http::Disconnect;

use super::shared::{Gone, Shared};

impl Shared {
    /// The client has left, as whoever reads or writes has noticed: nothing more comes, and the operation hears what the policy says.
    ///
    /// Only the first time counts. One that answers a close frame of ours has not left: it was let go.
    pub(super) fn client_left(&self, operation: &Operation, gone: Gone) {
        let why = gone.why.clone();
        if !self.leave(gone) || self.is_closed() {
            return;
        }
        match self.disconnect {
            Disconnect::Grace(grace) => operation.grace_on(Reason::Disconnected, grace),
            Disconnect::Detach => {
                operation.set_metadata("disconnected", true);
                return;
            }
            Disconnect::Ignore => return,
            _ => {}
        }
        operation.cancel_with(why);
    }
}

impl Gone {
    /// One that said no word, or nothing that could be understood.
    pub(super) fn because_of(error: &axum::Error) -> Self {
        let message = format!("the client has disconnected: {error}");
        Self {
            why: Cancellation::new(Reason::Disconnected).with_message(message),
            close: None,
        }
    }
}
