//! What the future of a run will give to whoever polls it, kept while the operation is settled.

use std::panic::resume_unwind;

use cancelable_core::Cancellation;

use super::verdict::Verdict;
use crate::operation::{Ending, Operation};
use crate::panic::{self, Payload};

/// How the body went, for the caller.
pub(super) enum Outcome<T> {
    Ended(T),
    Cancelled(Cancellation),
    Panicked(Payload),
}

impl<T> Outcome<T> {
    /// How an operation ends that ends before it has a body.
    pub(super) fn ending_without_body(&self) -> Ending {
        match self {
            Self::Panicked(payload) => Ending::Failed(panic::said(&**payload)),
            Self::Cancelled(_) | Self::Ended(_) => Ending::Cancelled,
        }
    }

    /// A panic of a task or thread of the operation goes on, unless the body has panicked itself.
    pub(super) fn notice_panic_of(&mut self, operation: &Operation) {
        let duties = operation.record.duties();
        if let Some(payload) = duties.take_panic() {
            // For the record, where its end is left to a thread that does not listen.
            duties.decide(Ending::Failed(panic::said(&*payload)));
            if !matches!(self, Self::Panicked(_)) {
                *self = Self::Panicked(payload);
            }
        }
    }

    /// Gives it, the operation having ended.
    #[inline]
    pub(super) fn give<Fut, V>(self) -> T
    where
        Fut: Future,
        V: Verdict<Fut::Output, Output = T>,
    {
        match self {
            Self::Ended(output) => output,
            Self::Cancelled(why) => V::cancelled(why),
            Self::Panicked(payload) => resume_unwind(payload),
        }
    }
}
