//! Cancelling by id and by filter, and what became of it.

use serde::{Deserialize, Serialize};

use super::{Filter, Registry, scan};
use crate::{Cancellation, LiveOperation, OperationContext, OperationStatus};

/// What became of a cancel, as far as is known when the call returns: that an operation was asked, not that it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "status", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It was asked to stop by this cancel. It may yet finish anyway, or get stuck.
    Asked,
    /// It had been asked to stop before, for a reason that stands, and is still at work.
    AlreadyAsked,
    /// It had ended before, with this status.
    AlreadyOver(OperationStatus),
    /// No such operation is live or in the history.
    Unknown,
}

/// What became of the cancel of one operation of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CancelReply {
    /// The id of the operation.
    pub id: String,
    /// Which attempt at the work with this id it is.
    pub attempt: u32,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Registry {
    /// Asks the operation with this id to stop, whatever attempt it is, and says what became of that.
    ///
    /// Callbacks of its token run on this thread before this returns, as with any cancel.
    pub fn cancel(&self, id: &str, why: impl Into<Cancellation>) -> Outcome {
        let (live, ended) = self.shared.hold(id);
        match live {
            Some(operation) => ask(&*operation, why.into()),
            None => ended.map_or(Outcome::Unknown, |end| Outcome::AlreadyOver(end.status)),
        }
    }

    /// The same for one attempt alone: a cancel that comes late does not reach the next attempt.
    pub fn cancel_attempt(&self, id: &str, attempt: u32, why: impl Into<Cancellation>) -> Outcome {
        let (live, _) = self.shared.hold(id);
        match live.filter(|operation| operation.attempt() == attempt) {
            Some(operation) => ask(&*operation, why.into()),
            None => {
                let mut ended = scan::ended(&self.shared, None).map(|(_, context)| context);
                let it = ended.find(|context| context.attempt == attempt && context.id == id);
                it.map_or(Outcome::Unknown, |end| Outcome::AlreadyOver(end.status))
            }
        }
    }

    /// Asks all live operations that the filter means to stop, in the order of their start, and says of each what became of
    /// that. Those that start meanwhile are not asked. The filter has been asked about all of them before the first is asked
    /// to stop.
    pub fn cancel_all(&self, filter: &Filter, why: impl Into<Cancellation>) -> Vec<CancelReply> {
        let meant: Vec<_> = scan::live(&self.shared, None)
            .filter(|(_, operation)| filter.is_empty() || filter.take(&**operation).is_some())
            .collect();
        let why = why.into();
        let asked = meant.into_iter().map(|(_, operation)| CancelReply {
            id: operation.id().to_owned(),
            attempt: operation.attempt(),
            outcome: ask(&*operation, why.clone()),
        });
        asked.collect()
    }

    /// What [`cancel_all`](Self::cancel_all) with this filter would ask to stop, if it were called now; nothing is asked.
    pub fn preview(&self, filter: &Filter) -> Vec<OperationContext> {
        self.list(filter)
    }
}

fn ask(operation: &dyn LiveOperation, why: Cancellation) -> Outcome {
    let status = operation.status();
    if status.is_terminal() {
        return Outcome::AlreadyOver(status);
    }
    if operation.cancel_with(why) {
        return Outcome::Asked;
    }
    match operation.status() {
        status if status.is_terminal() => Outcome::AlreadyOver(status),
        _ => Outcome::AlreadyAsked,
    }
}
