//! The wall clock's name for a moment of the runtime's clock.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime};

/// When `moment` was or will be, by the wall clock.
///
/// Both clocks are read together once per process, so that the same moment always has the same name; a wall clock that is
/// set meanwhile is not followed.
pub(super) fn wall(moment: tokio::time::Instant) -> SystemTime {
    static READ_TOGETHER: LazyLock<(Instant, SystemTime)> =
        LazyLock::new(|| (Instant::now(), SystemTime::now()));
    let (monotonic, wall) = *READ_TOGETHER;
    let moment = moment.into_std();
    match moment.checked_duration_since(monotonic) {
        Some(later) => wall + later,
        None => wall - monotonic.duration_since(moment),
    }
}
