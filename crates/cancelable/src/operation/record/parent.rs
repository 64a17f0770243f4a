//! What an operation runs in; and of a parent that had ended before it started, no more than can still reach it.

use cancelable_core::{Cancellation, CancellationToken, Origin, Reason};
use tokio::time::Instant;

use super::{About, Record};
use crate::operation::{Callbacks, Operation};

/// A parent that had ended before. To keep the whole of it would keep its own parent too, and so on: all of a line of operations
/// that ran one after the other.
pub(super) struct EndedParent {
    id: String,
    token: CancellationToken,
}

impl Record {
    /// The record of an operation whose parent has ended: it runs in what runs around that one, and is cancelled with the
    /// parent's token all the same.
    pub(crate) fn after(
        start: Instant,
        deadline: Option<Instant>,
        parent: &Operation,
        mut about: About,
        callbacks: Option<Callbacks>,
    ) -> Self {
        let token = parent.token();
        about.ended_parent = Some(EndedParent {
            id: parent.id().to_owned(),
            token: token.clone(),
        });
        let mut around = parent.record.reached_from().filter_map(Self::above);
        let around = around.find(|operation| !operation.status().is_terminal());
        let record = Self::new(start, deadline, around.cloned(), about, callbacks);
        let made = record.token.set(token.child_token());
        made.expect("there is none yet");
        record
    }

    /// The id of the parent, whether it has ended or not.
    pub(crate) fn parent_id(&self) -> Option<&str> {
        match self.ended_parent() {
            Some(ended) => Some(&ended.id),
            None => self.parent.as_ref().map(Operation::id),
        }
    }

    /// What its token says, with the id of the parent if that is why, and with the parent's own for its cause.
    pub(super) fn as_child(&self, why: Cancellation) -> Cancellation {
        if why.reason() != Reason::Parent {
            return why;
        }
        // A token that is linked may be the child of another token, and have that one's cancel as its cause.
        let is_of = |token: &CancellationToken| why.cause() == token.cancellation();
        match (self.ended_parent(), &self.parent) {
            (Some(ended), _) if is_of(&ended.token) => why.with_origin(Origin::parent(&*ended.id)),
            (None, Some(parent)) if is_of(parent.token()) => {
                let why = why.with_origin(Origin::parent(parent.id()));
                match parent.cancellation() {
                    Some(cause) => why.with_cause(cause),
                    None => why,
                }
            }
            _ => why,
        }
    }

    fn ended_parent(&self) -> Option<&EndedParent> {
        self.about.as_ref()?.ended_parent.as_ref()
    }
}
