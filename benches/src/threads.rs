//! Sampling on two threads at once, each pinned to a core of its own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use core_affinity::CoreId;

use crate::Effort;
use crate::sampling::{Samples, time};

/// Samples both threads running the same side at the same time; a sample is the mean of what the two took.
pub(crate) fn two_threads<const N: usize>(
    effort: &Effort,
    sides: [&(dyn Fn(u64) + Sync); N],
) -> Samples<N> {
    let [first, second] = two_cores();
    let gate = Gate::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            core_affinity::set_for_current(second);
            while let Some((side, rounds)) = gate.follow() {
                gate.done(time(|| sides[side](rounds)));
            }
        });
        scope
            .spawn(|| {
                core_affinity::set_for_current(first);
                let samples = Samples::take(effort, |side, rounds| {
                    gate.lead(side, rounds);
                    let own = time(|| sides[side](rounds));
                    f64::midpoint(own, gate.other())
                });
                gate.lead(0, 0);
                samples
            })
            .join()
            .expect("it checks its effects before")
    })
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
    nanoseconds: AtomicU64,
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

    fn done(&self, nanoseconds: f64) {
        self.nanoseconds
            .store(nanoseconds.to_bits(), Ordering::Relaxed);
        self.meet();
    }

    /// What the other thread took.
    fn other(&self) -> f64 {
        self.meet();
        f64::from_bits(self.nanoseconds.load(Ordering::Relaxed))
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
