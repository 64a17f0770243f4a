//! Starting an operation: one reading of the clock, its record, and everything that may cancel it.

use std::sync::Arc;

use cancelable_core::{Cancellation, Origin, Reason};
use tokio::time::Instant;

use crate::builder::Cancelable;
use crate::operation::{Operation, Record};
use crate::signal::{self, Listening};
use crate::source::Source;

/// An operation that has started, with what its driver has to keep and to poll.
pub(super) struct Started {
    pub(super) operation: Operation,
    pub(super) watch: Watch,
    /// Whether somebody wants to hear how it ends.
    pub(super) is_heard: bool,
}

/// What may cancel an operation from beside its token; dropped, it has stopped (O3).
#[derive(Default)]
pub(super) struct Watch {
    pub(super) sources: Vec<Source>,
    /// Kept for its drop alone.
    signals: Vec<Listening>,
}

impl Watch {
    /// Stops all of it.
    #[inline]
    pub(super) fn stop(&mut self) {
        if !(self.sources.is_empty() && self.signals.is_empty()) {
            *self = Self::default();
        }
    }
}

/// Starts what `plan` describes. If it is cancelled from the start, its token is when this returns.
pub(super) fn start(plan: Cancelable) -> Started {
    let Cancelable {
        timeout,
        deadline,
        is_detached,
        more,
    } = plan;
    // The one reading: every limit counts from here.
    let now = Instant::now();
    let after = timeout.and_then(|timeout| now.checked_add(timeout));
    let deadline = [after, deadline].into_iter().flatten().min();
    let more = more.map(|more| *more);
    let Some(more) = more else {
        let parent = if is_detached {
            None
        } else {
            Operation::current()
        };
        let record = Record::new(now, deadline, parent, None, None);
        return Started::new(record, Watch::default(), false, now);
    };
    let parent = match more.parent {
        Some(parent) => Some(parent),
        None if is_detached => None,
        None => Operation::current(),
    };
    let tokens = more.about.tokens.clone();
    let is_heard = more.callbacks.is_some();
    let record = Record::new(
        now,
        deadline,
        parent,
        Some(Box::new(more.about)),
        more.callbacks,
    );
    for token in &tokens {
        record.token().link(token);
    }
    let watch = Watch {
        sources: more.sources,
        signals: listen(&record, &more.signals),
    };
    Started::new(record, watch, is_heard, now)
}

impl Started {
    fn new(record: Record, watch: Watch, is_heard: bool, now: Instant) -> Self {
        if let Some(deadline) = record.deadline
            && deadline <= now
            && !record.is_cancelled()
        {
            record.token().cancel_with(out_of_time(&record, deadline));
        }
        Self {
            operation: Operation {
                record: Arc::new(record),
            },
            watch,
            is_heard,
        }
    }
}

/// The cancellation of an operation whose time is up.
pub(super) fn out_of_time(record: &Record, deadline: Instant) -> Cancellation {
    Cancellation::from_origin(Origin::timeout(
        deadline.saturating_duration_since(record.start),
    ))
}

fn listen(record: &Record, signals: &[crate::Signal]) -> Vec<Listening> {
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
