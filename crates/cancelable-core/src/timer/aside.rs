//! Where a deadline's callbacks run: beside the timer's thread, on as many threads as there are slow ones.
//!
//! # Invariants
//!
//! 1. **While jobs are queued, somebody without a job in hand is on the way to them**: a worker that is starting, or one
//!    that has been woken. Whoever queues a job, and whoever takes one and leaves others, sees to that before anything
//!    else; so no job waits for another one to end. (It fails only where the system refuses a thread. Then the busy
//!    workers take what is left when they are done.)
//! 2. **Nobody waits or leaves while jobs are queued.** A worker looks at the queue under the lock under which it begins to
//!    wait or takes itself off the books. So no job is left behind without a worker.
//! 3. **`idle + woken` are the workers that wait.** They are told apart by number only: the first to come back from
//!    waiting settles for one that was woken, whatever brought it back. There are never fewer coming back than were
//!    woken, for a notice that reaches nobody means that all who wait are already on their way.
//! 4. **No job runs under the lock**, and none unwinds into a worker; so the books are right whatever a job does.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::host::{Host, SystemHost};
use super::quietly::call_quietly;

/// What can be run aside.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Runs `job` on another thread, soon, however slow the jobs before it are.
///
/// Jobs begin in the order in which they come, but side by side. A panic in one ends there. If the system refuses even
/// the first thread, the job runs here, before this returns; so the caller holds no lock that a job may want.
pub(crate) fn run_aside(job: Job) {
    static ASIDE: Aside = Aside::on(SystemHost, IDLE);
    ASIDE.submit(job);
}

/// A queue of jobs with threads that come and go.
struct Aside<H: Host = SystemHost> {
    crew: Mutex<Crew>,
    /// Notified when a worker that waits is wanted.
    wanted: Condvar,
    /// How long a worker waits for the next job before it ends.
    patience: Duration,
    host: H,
}

struct Crew {
    jobs: VecDeque<Job>,
    /// All workers, those included that are starting.
    workers: usize,
    /// 1 while a worker is being started that has not had the lock yet, else 0.
    starting: usize,
    /// Workers that wait and have not been woken.
    idle: usize,
    /// Workers that have been woken and have not had the lock yet.
    woken: usize,
}

impl<H: Host> Aside<H> {
    const fn on(host: H, patience: Duration) -> Self {
        let crew = Crew {
            jobs: VecDeque::new(),
            workers: 0,
            starting: 0,
            idle: 0,
            woken: 0,
        };
        Self {
            crew: Mutex::new(crew),
            wanted: Condvar::new(),
            patience,
            host,
        }
    }

    fn submit(&'static self, job: Job) {
        let mut crew = self.crew.lock();
        crew.jobs.push_back(job);
        self.call_for_a_worker(crew);
    }

    /// Keeps invariant 1, and gives up the lock.
    fn call_for_a_worker(&'static self, mut crew: MutexGuard<'static, Crew>) {
        if crew.jobs.is_empty() || crew.woken > 0 {
            return;
        }
        // One that waits is called even if another is starting: it is the faster, and the start may yet fail.
        if crew.idle > 0 {
            crew.idle -= 1;
            crew.woken += 1;
            drop(crew);
            self.wanted.notify_one();
        } else if crew.starting == 0 {
            crew.starting += 1;
            crew.workers += 1;
            drop(crew);
            if self.host.spawn(NAME, || self.work()).is_err() {
                self.stand_in();
            }
        }
    }

    /// The life of a worker.
    fn work(&'static self) {
        let mut crew = self.crew.lock();
        crew.starting -= 1;
        loop {
            crew = self.run_jobs(crew);
            let until = self.host.now() + self.patience;
            crew.idle += 1;
            self.host.sleep(&self.wanted, &mut crew, Some(until));
            if crew.woken > 0 {
                crew.woken -= 1;
            } else {
                crew.idle -= 1;
            }
            if crew.jobs.is_empty() && self.host.now() >= until {
                break;
            }
        }
        crew.workers -= 1;
    }

    /// Does the work of the one that could not be started if there is no other; else leaves the queue to the others.
    fn stand_in(&'static self) {
        let mut crew = self.crew.lock();
        crew.starting -= 1;
        if crew.workers == 1 {
            crew = self.run_jobs(crew);
        }
        crew.workers -= 1;
    }

    /// Runs jobs until there are none.
    fn run_jobs(&'static self, mut crew: MutexGuard<'static, Crew>) -> MutexGuard<'static, Crew> {
        while let Some(job) = crew.jobs.pop_front() {
            self.call_for_a_worker(crew);
            call_quietly(job);
            crew = self.crew.lock();
        }
        crew
    }
}

/// The workers' name.
const NAME: &str = "cancelable-callbacks";
/// How long a worker waits for another job: long enough for the next burst, short enough not to be noticed.
const IDLE: Duration = Duration::from_secs(1);
