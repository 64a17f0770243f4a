//! How fast an operation comes along, and how long it has yet to go: arithmetic on its reports, with no clock inside.

use std::time::Duration;

use super::Progress;

/// How fast an operation comes along, found from its reports of progress and when they came.
///
/// What it tells is the average since the start; where a count or a fraction went back, as when the work was begun anew, the
/// average since then. What a report at the very start says was done before it.
///
/// ```
/// use cancelable_core::{Pace, Progress};
/// use std::time::Duration;
///
/// let seconds = Duration::from_secs;
/// let mut pace = Pace::new();
/// pace.note(seconds(10), &Progress::new("parsing").step(30, 120));
/// assert_eq!(pace.rate(), Some(3.0));
/// assert_eq!(pace.time_left(seconds(10)), Some(seconds(30)));
/// // Two seconds later, with no other report.
/// assert_eq!(pace.time_left(seconds(12)), Some(seconds(28)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// Of what is counted.
    things: Option<Run>,
    /// Of the fraction that is given.
    part: Option<Run>,
    /// What the latest report with numbers is on its way to.
    goal: Option<Goal>,
}

impl Pace {
    /// Nothing is known yet.
    pub const fn new() -> Self {
        Self {
            things: None,
            part: None,
            goal: None,
        }
    }

    /// Takes in a report that came when so much time had elapsed since the start. One without numbers changes nothing.
    pub fn note(&mut self, elapsed: Duration, progress: &Progress) {
        if let Some(current) = progress.current {
            Run::note(&mut self.things, elapsed, current as f64);
            self.goal = match progress.total {
                Some(total) if total > 0 => Some(Goal::Things(total as f64)),
                Some(_) | None => None,
            };
        }
        // What the program says itself counts before what follows from its counts, as in `Progress::fraction`.
        if let Some(part) = progress.given_fraction() {
            Run::note(&mut self.part, elapsed, part);
            self.goal = Some(Goal::Whole);
        }
    }

    /// How many things are done in a second; `None` where no count was reported, or none but at the very start.
    pub fn rate(&self) -> Option<f64> {
        self.things?.speed()
    }

    /// How long it has yet to go when so much time has elapsed since the start, which may be later than the latest report:
    /// zero once all is done, or should be. `None` where no end is known, or nothing has been done yet.
    pub fn time_left(&self, elapsed: Duration) -> Option<Duration> {
        let (run, whole) = match self.goal? {
            Goal::Things(total) => (self.things?, total),
            Goal::Whole => (self.part?, 1.0),
        };
        let left = whole - run.done;
        if left <= 0.0 {
            return Some(Duration::ZERO);
        }
        // Longer than a duration can be is as good as unknown; so is what takes for ever, at a speed of zero.
        let from_report = Duration::try_from_secs_f64(left / run.speed()?).ok()?;
        Some(from_report.saturating_sub(elapsed.saturating_sub(run.at)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Goal {
    /// So many things.
    Things(f64),
    /// A fraction of one.
    Whole,
}

/// An amount that grows: from where it is counted, and where it is by now.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    from: f64,
    from_at: Duration,
    done: f64,
    at: Duration,
}

impl Run {
    fn note(run: &mut Option<Self>, at: Duration, done: f64) {
        let goes_on = match run {
            Some(run) => done >= run.done && at >= run.at && !at.is_zero(),
            None => !at.is_zero(),
        };
        if !goes_on {
            *run = Some(Self {
                from: done,
                from_at: at,
                done,
                at,
            });
            return;
        }
        let run = run.get_or_insert(Self {
            from: 0.0,
            from_at: Duration::ZERO,
            done,
            at,
        });
        run.done = done;
        run.at = at;
    }

    /// By the second; `None` where no time has passed.
    fn speed(self) -> Option<f64> {
        let seconds = self.at.saturating_sub(self.from_at).as_secs_f64();
        (seconds > 0.0).then(|| (self.done - self.from) / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known after these reports, each so many seconds after the start, as of the last: the rate, and the seconds left.
    #[track_caller]
    fn check(reports: &[(u64, Progress)], rate: Option<f64>, left: Option<u64>) -> Pace {
        let mut pace = Pace::new();
        for (elapsed, progress) in reports {
            pace.note(Duration::from_secs(*elapsed), progress);
        }
        let elapsed = reports.last().map_or(0, |(elapsed, _)| *elapsed);
        let time_left = pace.time_left(Duration::from_secs(elapsed));
        assert_eq!(pace.rate(), rate);
        assert_eq!(time_left, left.map(Duration::from_secs));
        pace
    }

    fn step(current: u64, total: u64) -> Progress {
        Progress::new("").step(current, total)
    }

    fn count(current: u64) -> Progress {
        Progress::new("").count(current)
    }

    fn part(fraction: f64) -> Progress {
        Progress::new("").fraction_done(fraction)
    }

    #[test]
    fn nothing_is_known_without_numbers() {
        check(&[], None, None);
        check(&[(5, Progress::new("at it"))], None, None);
    }

    #[test]
    fn counts_give_a_rate_and_with_a_total_the_time_left() {
        check(&[(10, step(20, 100))], Some(2.0), Some(40));
        check(
            &[(5, step(20, 100)), (10, step(50, 100))],
            Some(5.0),
            Some(10),
        );
        check(&[(10, count(20))], Some(2.0), None);
        // The latest report says whether there is a total.
        check(&[(5, step(10, 100)), (10, count(20))], Some(2.0), None);
        check(&[(5, count(10)), (10, step(20, 40))], Some(2.0), Some(10));
    }

    #[test]
    fn a_message_alone_changes_nothing() {
        let reports = [(10, step(20, 100)), (10, Progress::new("at it"))];
        check(&reports, Some(2.0), Some(40));
    }

    #[test]
    fn a_fraction_gives_the_time_left_and_no_rate() {
        check(&[(10, part(0.25))], None, Some(30));
        // It counts before the total, and the count gives the rate all the same.
        check(&[(10, part(0.25).step(90, 100))], Some(9.0), Some(30));
        check(&[(10, part(0.25)), (20, step(40, 50))], Some(2.0), Some(5));
    }

    #[test]
    fn at_the_very_start_nothing_is_known_but_what_was_done_before() {
        check(&[(0, step(0, 100))], None, None);
        check(&[(0, step(50, 100))], None, None);
        check(
            &[(0, step(50, 100)), (10, step(60, 100))],
            Some(1.0),
            Some(40),
        );
        check(&[(0, part(0.5)), (10, part(0.75))], None, Some(10));
    }

    #[test]
    fn a_total_of_zero_is_none() {
        check(&[(10, step(0, 0))], Some(0.0), None);
        check(&[(10, step(5, 0))], Some(0.5), None);
    }

    #[test]
    fn once_all_is_done_no_time_is_left() {
        check(&[(10, step(100, 100))], Some(10.0), Some(0));
        check(&[(10, step(120, 100))], Some(12.0), Some(0));
        check(&[(0, step(100, 100))], None, Some(0));
        check(&[(10, part(1.0))], None, Some(0));
    }

    #[test]
    fn where_nothing_is_done_nobody_knows_how_long() {
        check(&[(10, step(0, 100))], Some(0.0), None);
        check(&[(10, part(0.0))], None, None);
        // Far beyond what a duration holds.
        check(
            &[(u64::MAX, step(1, u64::MAX))],
            Some(1.0 / u64::MAX as f64),
            None,
        );
    }

    #[test]
    fn going_back_is_to_begin_anew() {
        let again = [(10, step(50, 100)), (20, step(0, 100)), (30, step(20, 100))];
        check(&again, Some(2.0), Some(40));
        check(&again[..2], None, None);
        check(
            &[(10, part(0.5)), (20, part(0.25)), (30, part(0.5))],
            None,
            Some(20),
        );
        // So it is where the time goes back.
        check(
            &[(10, count(50)), (5, count(60)), (10, count(70))],
            Some(2.0),
            None,
        );
    }

    #[test]
    fn time_goes_on_after_the_latest_report() {
        let pace = check(&[(10, step(20, 100))], Some(2.0), Some(40));
        let left = |elapsed| pace.time_left(Duration::from_secs(elapsed));
        assert_eq!(left(30), Some(Duration::from_secs(20)));
        assert_eq!(left(60), Some(Duration::ZERO));
        // As of before the report, which cannot be.
        assert_eq!(left(0), Some(Duration::from_secs(40)));
    }
}
