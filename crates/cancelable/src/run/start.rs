//! Starting an operation: one reading of the clock, its record, and everything that may cancel it.

use std::sync::Arc;

use cancelable_core::{Cancellation, Origin, Reason};
use tokio::time::Instant;

use crate::Signal;
use crate::builder::{Cancelable, More};
use crate::operation::{Operation, Record};
use crate::signal::{self, Listening};
use crate::source::Source;

/// An operation that has started, with what its driver has to keep and to poll.
pub(super) struct Started {
    pub(super) operation: Operation,
    /// `None` where nothing but tokens and the limit may cancel it.
    pub(super) watch: Option<Box<Watch>>,
    /// Whether somebody wants to hear how it ends.
    pub(super) is_heard: bool,
}

/// What may cancel an operation from beside its token; dropped, it has stopped (O3).
pub(super) struct Watch {
    pub(super) sources: Vec<Source>,
    /// Kept for its drop alone.
    _signals: Vec<Listening>,
}

/// Starts what `plan` describes. If it is cancelled from the start, its token is when this returns.
#[inline]
pub(super) fn start(plan: Cancelable) -> Started {
    // The one reading: every limit counts from here.
    let now = Instant::now();
    let after = plan.timeout.and_then(|timeout| now.checked_add(timeout));
    let deadline = match (after, plan.deadline) {
        (Some(after), Some(deadline)) => Some(after.min(deadline)),
        (after, deadline) => after.or(deadline),
    };
    let around = if plan.is_detached {
        None
    } else {
        Operation::current()
    };
    let started = match plan.more {
        None => Started {
            operation: Operation {
                record: Arc::new(Record::plain(now, deadline, around)),
            },
            watch: None,
            is_heard: false,
        },
        Some(more) => start_with(*more, now, deadline, around),
    };
    if let Some(deadline) = deadline
        && deadline <= now
    {
        out_of_time(&started.operation, deadline);
    }
    started
}

/// Starts an operation that was given more than a limit.
fn start_with(
    more: More,
    now: Instant,
    deadline: Option<Instant>,
    around: Option<Operation>,
) -> Started {
    let parent = more.parent.or(around);
    let is_heard = more.callbacks.is_some();
    let record = Record::new(now, deadline, parent, more.about, more.callbacks);
    for token in record.tokens() {
        record.token().link(token);
    }
    let watch = (!more.sources.is_empty() || !more.signals.is_empty()).then(|| {
        Box::new(Watch {
            sources: more.sources,
            _signals: listen(&record, &more.signals),
        })
    });
    Started {
        operation: Operation {
            record: Arc::new(record),
        },
        watch,
        is_heard,
    }
}

/// Cancels an operation whose time is up, unless it was before.
#[cold]
pub(super) fn out_of_time(operation: &Operation, deadline: Instant) {
    if !operation.is_cancelled() {
        let limit = deadline.saturating_duration_since(operation.record.start);
        operation.cancel_with(Origin::timeout(limit));
    }
}

fn listen(record: &Record, signals: &[Signal]) -> Vec<Listening> {
    let mut listening = Vec::with_capacity(signals.len());
    for &signal in signals {
        let token = record.token().clone();
        let heard = signal::listen(signal, move |signal| {
            token.cancel_with(Origin::signal(signal.number(), signal.name()));
        });
        match heard {
            Ok(guard) => listening.push(guard),
            // An operation that cannot hear what it was told to obey must not run as if it could.
            Err(error) => {
                let message = format!("cannot listen for {signal}: {error}");
                let why = Cancellation::new(Reason::Error).with_message(message);
                record.token().cancel_with(why);
            }
        }
    }
    listening
}
