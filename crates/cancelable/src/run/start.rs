//! Starting an operation: one reading of the clock, its record, and everything that may cancel it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use cancelable_core::{Cancellation, Reason};
use tokio::task::unconstrained;
use tokio::time::Instant;

use crate::Signal;
use crate::builder::{Cancelable, More};
use crate::operation::current::{self, Shielded};
use crate::operation::{Duties, Operation, Record, Watched, trace};
use crate::panic::{self, Payload};
use crate::signal::{self, Listening};
use crate::source::{self, AnyOf, Source, any_of};

/// An operation that has started, with what its driver has to keep and to poll.
pub(super) struct Started {
    pub(super) operation: Operation,
    /// `None` where nothing but tokens and the limit may cancel it.
    pub(super) watch: Option<Box<Watch>>,
}

/// What may cancel an operation from beside its token; dropped, it has stopped (O3).
pub(super) struct Watch {
    sources: AnyOf,
    /// The sources' deadline, as the record has it.
    known: Option<Instant>,
    signals: Vec<Listening>,
    has_let_go: bool,
    panicked: Option<Payload>,
}

impl Watch {
    /// The operation was asked to stop, and goes on for a while: nothing is watched for any more, and a signal takes its
    /// default action (S4).
    pub(super) fn let_go(&mut self, operation: &Operation) {
        if std::mem::replace(&mut self.has_let_go, true) {
            return;
        }
        self.stop_sources();
        for signal in &self.signals {
            signal.stop_holding_back();
        }
        let why = operation.cancellation();
        if !self.signals.is_empty() && why.is_some_and(|why| why.reason() == Reason::Signal) {
            signal::say_that_the_next_one_ends_the_process();
        }
    }
}

impl Watch {
    /// Tells the sources of the start. One may have fired already, and then the operation is cancelled from the start.
    fn begin(&mut self, record: &Record, now: Instant) {
        // An operation that will not run needs no sources.
        if self.sources.is_empty() || record.is_cancelled() {
            return;
        }
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let fired = Pin::new(&mut self.sources).begin(now);
            if fired.is_none() {
                self.tell_deadline(record);
            }
            fired
        }));
        match begun {
            Ok(Some(why)) => {
                record.token().cancel_with(why);
            }
            Ok(None) => {}
            Err(payload) => self.panicked = Some(payload),
        }
    }

    /// What a source panicked with as it was told of the start.
    pub(super) fn take_panic(&mut self) -> Option<Payload> {
        self.panicked.take()
    }

    /// Stops the sources, by dropping them. What ends by then ends as it would have: a panic of a drop is logged.
    pub(super) fn stop_sources(&mut self) {
        for source in self.sources.take_members() {
            if let Err(error) = panic::caught(|| drop(source)) {
                tracing::error!(error, "a source panicked as it was dropped");
            }
        }
    }

    /// Polls the sources, and says why if one has fired.
    pub(super) fn poll(&mut self, record: &Record, cx: &mut Context<'_>) -> Poll<Cancellation> {
        if self.sources.is_empty() {
            return Poll::Pending;
        }
        // Outside the budget of cooperative scheduling, as the time limit is.
        let polled = pin!(unconstrained(&mut self.sources)).poll(cx);
        if polled.is_pending() {
            self.tell_deadline(record);
        }
        polled
    }

    /// Whether a source is known to have been due before `moment`.
    pub(super) fn was_due_before(&self, moment: Instant) -> bool {
        self.sources.deadline().is_some_and(|due| due < moment)
    }

    /// Has the record know the sources' deadline, which becomes known, or changes, as they fire inside others.
    fn tell_deadline(&mut self, record: &Record) {
        let known = self.sources.deadline();
        if known != self.known {
            self.known = known;
            record.set_sources_deadline(known);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop_sources();
    }
}

/// Starts what `plan` describes. If it is cancelled from the start, its token is when this returns.
#[inline]
pub(super) fn start(plan: &mut Cancelable) -> Started {
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
    let started = match plan.more.take() {
        None => {
            let record = match around {
                None => Record::plain(now, deadline),
                Some((parent, shield)) => Arc::new(Record::inside(parent, shield, now, deadline)),
            };
            Started {
                operation: Operation { record },
                watch: None,
            }
        }
        Some(more) => start_with(*more, now, deadline, around),
    };
    trace::start(&started.operation.record);
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
    let (parent, shield) = match more.parent {
        Some(parent) => {
            let shield = current::shielded(&parent);
            (Some(parent), Some(shield))
        }
        None => around.unzip(),
    };
    let shield = shield.flatten();
    let mut record = match parent {
        Some(ended) if shield.is_none() && ended.status().is_terminal() => {
            Record::after(now, deadline, &ended, more.about, more.callbacks)
        }
        parent => Record::new(now, deadline, parent, more.about, more.callbacks),
    };
    record.shield = shield.map(Box::new);
    if !more.graces.is_none() || !more.finalizers.is_empty() {
        record.owe(Duties::new(more.graces, more.finalizers));
    }
    for token in record.tokens() {
        record.token().link(token);
    }
    let record = Arc::new(record);
    if !more.registries.is_empty() {
        Watched::by(&more.registries, &record);
    }
    let operation = Operation { record };
    let record = &operation.record;
    record.begin_companions(&operation, more.companions);
    let watch = (!more.sources.is_empty() || !more.signals.is_empty()).then(|| {
        let mut watch = Box::new(Watch {
            sources: any_of(more.sources),
            known: None,
            signals: listen(record, &more.signals),
            has_let_go: false,
            panicked: None,
        });
        watch.begin(record, now);
        watch
    });
    Started { operation, watch }
}

/// Cancels an operation whose time is up, unless it was before.
#[cold]
pub(super) fn out_of_time(operation: &Operation, deadline: Instant) {
    operation.time_out(deadline);
}

fn listen(record: &Record, signals: &[Signal]) -> Vec<Listening> {
    let mut listening = Vec::with_capacity(signals.len());
    for &signal in signals {
        match source::listen(signal, record.token().clone()) {
            Ok(guard) => listening.push(guard),
            Err(why) => {
                record.token().cancel_with(why);
            }
        }
    }
    listening
}
