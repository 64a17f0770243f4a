//! Sampling on two threads at once, each pinned to a core of its own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use core_affinity::CoreId;

use crate::Effort;
use crate::sampling::Samples;

/// How often a sample is taken in which the two should run together, before it is taken as it is.
const TRIES: u32 = 50;

/// Samples both threads running the same side at the same time; a sample is the mean of what the two took.
pub(crate) fn two_threads<const N: usize>(
    effort: &Effort,
    sides: [&(dyn Fn(u64) + Sync); N],
) -> Samples<N> {
    let [first, second] = two_cores();
    let gate = Gate::default();
    let epoch = Instant::now();
    let run = |side: usize, rounds| {
        let start = epoch.elapsed();
        sides[side](rounds);
        Stretch {
            start,
            end: epoch.elapsed(),
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            core_affinity::set_for_current(second);
            while let Some((side, rounds)) = gate.follow() {
                gate.done(run(side, rounds));
            }
        });
        scope
            .spawn(|| {
                core_affinity::set_for_current(first);
                let samples = Samples::take(effort, |side, rounds| {
                    let mut tries = 0;
                    loop {
                        gate.lead(side, rounds);
                        let own = run(side, rounds);
                        let other = gate.other();
                        tries += 1;
                        if own.is_beside(&other) || tries == TRIES {
                            return f64::midpoint(own.nanoseconds(), other.nanoseconds());
                        }
                    }
                });
                gate.lead(0, 0);
                samples
            })
            .join()
            .expect("it checks its effects before")
    })
}

/// When a thread ran, since the row began.
#[derive(Clone, Copy)]
struct Stretch {
    start: Duration,
    end: Duration,
}

impl Stretch {
    fn nanoseconds(&self) -> f64 {
        (self.end - self.start).as_nanos() as f64
    }

    /// Whether both ran at the same time for most of it. If one was interrupted, the other ran alone meanwhile: that is
    /// another row.
    fn is_beside(&self, other: &Self) -> bool {
        let both = self
            .end
            .min(other.end)
            .saturating_sub(self.start.max(other.start));
        let either = self.end.max(other.end) - self.start.min(other.start);
        4 * both >= 3 * either
    }
}

/// The first two cores that this process may run on.
pub(crate) fn two_cores() -> [CoreId; 2] {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    match cores[..] {
        [first, second, ..] => [first, second],
        _ => panic!("rows with two threads need two cores"),
    }
}

/// Where the two threads meet. They spin, since being woken takes longer than a sample.
#[derive(Default)]
struct Gate {
    arrivals: AtomicUsize,
    side: AtomicUsize,
    rounds: AtomicU64,
    start: AtomicU64,
    end: AtomicU64,
}

impl Gate {
    /// Gives the other thread its orders and starts together with it; zero rounds end it.
    fn lead(&self, side: usize, rounds: u64) {
        self.side.store(side, Ordering::Relaxed);
        self.rounds.store(rounds, Ordering::Relaxed);
        self.meet();
    }

    fn follow(&self) -> Option<(usize, u64)> {
        self.meet();
        let rounds = self.rounds.load(Ordering::Relaxed);
        (rounds != 0).then(|| (self.side.load(Ordering::Relaxed), rounds))
    }

    fn done(&self, stretch: Stretch) {
        self.start
            .store(nanoseconds(stretch.start), Ordering::Relaxed);
        self.end.store(nanoseconds(stretch.end), Ordering::Relaxed);
        self.meet();
    }

    /// When the other thread ran.
    fn other(&self) -> Stretch {
        self.meet();
        Stretch {
            start: Duration::from_nanos(self.start.load(Ordering::Relaxed)),
            end: Duration::from_nanos(self.end.load(Ordering::Relaxed)),
        }
    }

    /// Waits for the other. What either wrote before, it sees after: the read-modify-writes acquire and release.
    fn meet(&self) {
        let here = self.arrivals.fetch_add(1, Ordering::AcqRel);
        let both = (here / 2 + 1) * 2;
        while self.arrivals.load(Ordering::Acquire) < both {
            std::hint::spin_loop();
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a row takes less than five centuries")
}
