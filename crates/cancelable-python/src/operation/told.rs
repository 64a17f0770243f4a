//! What there is to tell of a cancellation.

use std::time::Duration;

use cancelable_core::{Cancellation, Origin, Reason};

/// What was said, by whoever cancelled or by what fired; `None` where nobody said anything.
pub(crate) fn message(why: &Cancellation) -> Option<String> {
    why.given_message().map(str::to_owned)
}

/// Whether it came from a parent.
pub(crate) fn is_by_parent(why: &Cancellation) -> bool {
    why.reason() == Reason::Parent
}

/// The timeout that fired, in seconds.
pub(crate) fn timeout(why: &Cancellation) -> Option<f64> {
    match why.origin() {
        Origin::Timeout { after, .. } => Some(after.as_secs_f64()),
        _ => None,
    }
}

/// The number of the signal that came.
pub(crate) fn signal(why: &Cancellation) -> Option<i32> {
    match why.origin() {
        Origin::Signal { number, .. } => Some(*number),
        _ => None,
    }
}

/// The name of the condition that was met.
pub(crate) fn condition(why: &Cancellation) -> Option<&str> {
    match why.origin() {
        Origin::Condition { name, .. } => Some(name),
        _ => None,
    }
}

/// The id of the operation whose cancel it was.
pub(crate) fn parent(why: &Cancellation) -> Option<&str> {
    match why.origin() {
        Origin::Parent { id, .. } => id.as_deref(),
        _ => None,
    }
}

/// The cancellation as an operation tells it: with the id of its parent, where that is whose cancel it was.
pub(crate) fn with_parent(why: Cancellation, parent_id: Option<&str>) -> Cancellation {
    match parent_id {
        Some(id) if is_by_parent(&why) && parent(&why).is_none() => {
            let message = format!("Parent operation {} cancelled", short(id));
            why.with_origin(Origin::parent(id.to_owned()))
                .with_message(message)
        }
        Some(_) | None => why,
    }
}

/// That a time limit of so many seconds has passed: that of this name, if it has one.
pub(crate) fn timed_out(seconds: f64, name: Option<&str>) -> Cancellation {
    let after = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    let mut message = format!("Operation timed out after {seconds}s");
    if let Some(name) = name {
        message.push_str(&format!(" ({name})"));
    }
    Cancellation::from_origin(Origin::timeout(after)).with_message(message)
}

/// The first eight characters of an id, which is what messages show of it.
pub(crate) fn short(id: &str) -> &str {
    id.char_indices().nth(8).map_or(id, |(at, _)| &id[..at])
}
