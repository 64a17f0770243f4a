//! The wall clock, as often as an operation wants it.
//!
//! Each reading of a clock costs as much as a few allocations, and an operation reads the monotonic one as it begins and ends. So
//! the wall clock is read once in a while, and what it says at other moments is reckoned by the other clock: where the one is
//! set anew, or the machine sleeps, that shows a moment later.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

/// For how long a reading of the wall clock counts.
const COUNTS_FOR: Duration = Duration::from_millis(10);

/// What the wall clock says at this moment, which has just been read.
pub(crate) fn wall(now: Instant) -> SystemTime {
    LAST.with(|last| {
        if let Some((then, wall)) = last.get()
            && let Some(since) = now.checked_duration_since(then)
            && since < COUNTS_FOR
        {
            return wall + since;
        }
        let wall = SystemTime::now();
        last.set(Some((now, wall)));
        wall
    })
}

thread_local! {
    /// A moment by both clocks.
    static LAST: Cell<Option<(Instant, SystemTime)>> = const { Cell::new(None) };
}
