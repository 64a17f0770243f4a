//! Starting an operation: one reading of the clock, its record, and everything that may cancel it.

use std::sync::Arc;

use cancelable_core::{Cancellation, Origin, Reason};
use tokio::time::Instant;

use crate::Signal;
use crate::builder::{Cancelable, More};
use crate::operation::current::{self, Shielded};
use crate::operation::{Duties, Operation, Record};
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
    signals: Vec<Listening>,
    has_let_go: bool,
}

impl Watch {
    /// The operation was asked to stop, and goes on for a while: nothing is watched for any more, and a signal takes its
    /// default action (S4).
    pub(super) fn let_go(&mut self, operation: &Operation) {
        if std::mem::replace(&mut self.has_let_go, true) {
            return;
        }
        self.sources.clear();
        for signal in &self.signals {
            signal.stop_holding_back();
        }
        let why = operation.cancellation();
        if !self.signals.is_empty() && why.is_some_and(|why| why.reason() == Reason::Signal) {
            signal::say_that_the_next_one_ends_the_process();
        }
    }
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
        current::around()
    };
    let started = match plan.more {
        None => {
            let (parent, is_shielded) = unzip(around);
            let mut record = Record::plain(now, deadline, parent);
            record.is_shielded = is_shielded;
            Started {
                operation: Operation {
                    record: Arc::new(record),
                },
                watch: None,
                is_heard: false,
            }
        }
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
    around: Option<(Operation, Option<Shielded>)>,
) -> Started {
    let (parent, is_shielded) = match more.parent {
        Some(parent) => {
            let is_shielded = current::shielded(&parent).is_some();
            (Some(parent), is_shielded)
        }
        None => unzip(around),
    };
    let is_heard = more.callbacks.is_some();
    let mut record = Record::new(now, deadline, parent, more.about, more.callbacks);
    record.is_shielded = is_shielded;
    if more.grace.is_some() || !more.finalizers.is_empty() {
        record.owe(Duties::new(more.grace, more.finalizers));
    }
    for token in record.tokens() {
        record.token().link(token);
    }
    let watch = (!more.sources.is_empty() || !more.signals.is_empty()).then(|| {
        Box::new(Watch {
            sources: more.sources,
            signals: listen(&record, &more.signals),
            has_let_go: false,
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

fn unzip(around: Option<(Operation, Option<Shielded>)>) -> (Option<Operation>, bool) {
    match around {
        Some((operation, shielded)) => (Some(operation), shielded.is_some()),
        None => (None, false),
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
