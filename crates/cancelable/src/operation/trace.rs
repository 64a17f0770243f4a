//! What a subscriber of `tracing` sees of an operation: a span around all that runs for it, and events for what happens to
//! it. Without a subscriber that wants them, there is no span and nothing is computed for it.

use cancelable_core::{Cancellation, OperationContext, Progress};
use tracing::field::Empty;
use tracing::{Level, Span, debug, info, span};

use super::Record;

/// Makes the span of an operation, if anybody wants it, and says that it starts.
#[inline]
pub(crate) fn start(record: &Record) {
    if tracing::enabled!(Level::INFO) {
        make_span(record);
    }
}

#[cold]
fn make_span(record: &Record) {
    let name = record.name();
    let (id, attempt) = (record.id(), record.given_attempt());
    let parent = record.parent_id();
    // A parent that was given by hand may not be what encloses it here.
    let around = record
        .parent
        .as_ref()
        .and_then(|parent| parent.record.span()?.id());
    let span = match around {
        Some(around) => {
            span!(parent: around, Level::INFO, "operation", id, name, attempt, parent, reason = Empty)
        }
        None => span!(
            Level::INFO,
            "operation",
            id,
            name,
            attempt,
            parent,
            reason = Empty
        ),
    };
    if !span.is_disabled() {
        span.in_scope(|| info!("operation started"));
        record.set_span(span);
    }
}

/// Enters the span; to be left on the same thread.
pub(super) fn enter(span: &Span) {
    span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
}

pub(super) fn leave(span: &Span) {
    span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
}

pub(super) fn asked(span: &Span, why: &Cancellation) {
    span.record("reason", why.reason().as_str());
    span.in_scope(|| info!(reason = why.reason().as_str(), why = %why, "operation asked to stop"));
}

pub(super) fn progressed(span: &Span, progress: &Progress) {
    span.in_scope(|| {
        debug!(
            progress = %progress.message,
            fraction = progress.fraction(),
            "operation progressed"
        );
    });
}

pub(super) fn ended(span: &Span, context: &OperationContext) {
    let since_asked = context.since_asked.map(|since| since.as_secs_f64());
    span.in_scope(|| {
        info!(
            status = context.status.as_str(),
            seconds = context.duration.as_secs_f64(),
            seconds_since_asked = since_asked,
            error = context.error.as_deref(),
            "operation ended"
        );
    });
}
