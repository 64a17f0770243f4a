//! Instants as ticks of a millisecond, rounded so that nothing is ever early.
//!
//! 1. An instant to wait for is rounded up, the present is rounded down. So if the present's tick has reached a
//!    deadline's tick, the present has reached the deadline.

use std::time::{Duration, Instant};

/// Counts ticks of one millisecond from where it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticks {
    origin: Instant,
}

impl Ticks {
    pub(crate) fn since(origin: Instant) -> Self {
        Self { origin }
    }

    /// The first tick that is not before `at`; 0 for what lies before the origin.
    pub(crate) fn not_before(self, at: Instant) -> u64 {
        let (millis, nanos) = self.split(at);
        millis.saturating_add(u64::from(nanos > 0))
    }

    /// The last tick that is not after `now`.
    pub(crate) fn reached(self, now: Instant) -> u64 {
        self.split(now).0
    }

    /// When `tick` comes; `None` if that is later than an `Instant` can say.
    pub(crate) fn instant(self, tick: u64) -> Option<Instant> {
        self.origin.checked_add(Duration::from_millis(tick))
    }

    /// Whole milliseconds since the origin, and the nanoseconds that are left over.
    fn split(self, at: Instant) -> (u64, u32) {
        let since = at.saturating_duration_since(self.origin);
        let millis = since
            .as_secs()
            .saturating_mul(1000)
            .saturating_add(u64::from(since.subsec_millis()));
        (millis, since.subsec_nanos() % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Ticks;

    #[track_caller]
    fn check(nanos: u64, reached: u64, not_before: u64) {
        let origin = Instant::now();
        let at = origin + Duration::from_nanos(nanos);
        let ticks = Ticks::since(origin);
        assert_eq!(
            (ticks.reached(at), ticks.not_before(at)),
            (reached, not_before)
        );
    }

    #[test]
    fn law_t11_deadlines_round_up_and_the_present_down() {
        check(0, 0, 0);
        check(1, 0, 1);
        check(999_999, 0, 1);
        check(1_000_000, 1, 1);
        check(1_000_001, 1, 2);
        check(999_999_999, 999, 1000);
        check(1_000_000_000, 1000, 1000);
        check(3_600_000_000_001, 3_600_000, 3_600_001);
    }

    #[test]
    fn the_past_is_tick_zero() {
        let past = Instant::now();
        let ticks = Ticks::since(past + Duration::from_secs(1));
        assert_eq!((ticks.reached(past), ticks.not_before(past)), (0, 0));
    }

    #[test]
    fn the_farthest_instant_has_a_tick() {
        let origin = Instant::now();
        let mut farthest = origin;
        for bit in (0..64).rev() {
            if let Some(later) = farthest.checked_add(Duration::from_secs(1 << bit)) {
                farthest = later;
            }
        }
        let ticks = Ticks::since(origin);
        assert!(ticks.not_before(farthest) >= ticks.reached(farthest));
        assert!(
            ticks
                .instant(ticks.reached(farthest))
                .is_none_or(|tick| tick <= farthest)
        );
        assert!(ticks.instant(1).is_some());
    }
}
