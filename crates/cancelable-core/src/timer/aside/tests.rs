//! Jobs that are slow, many, or panic, and workers that come and go.

use std::io;
use std::panic::panic_any;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Aside;
use crate::timer::host::{Host, SystemHost};
use crate::timer::manual::PATIENCE;
use crate::timer::run_aside;

/// The real machine, but it counts the threads, and can be told to give no more.
struct CountingHost {
    threads: Mutex<Threads>,
    ended: Condvar,
}

struct Threads {
    alive: usize,
    peak: usize,
    limit: usize,
}

impl CountingHost {
    fn with_limit(limit: usize) -> Self {
        Self {
            threads: Mutex::new(Threads {
                alive: 0,
                peak: 0,
                limit,
            }),
            ended: Condvar::new(),
        }
    }

    /// Waits until every thread has ended.
    fn wait_for_none(&self) {
        let mut threads = self.threads.lock();
        let waited = self
            .ended
            .wait_while_for(&mut threads, |threads| threads.alive > 0, PATIENCE);
        assert!(!waited.timed_out(), "workers stay");
    }

    fn peak(&self) -> usize {
        self.threads.lock().peak
    }
}

impl Host for &'static CountingHost {
    fn now(&self) -> Instant {
        SystemHost.now()
    }

    fn sleep<S>(&self, changed: &Condvar, lock: &mut MutexGuard<'_, S>, until: Option<Instant>) {
        SystemHost.sleep(changed, lock, until);
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let host = *self;
        let mut threads = host.threads.lock();
        if threads.alive == threads.limit {
            return Err(io::Error::other("no more threads"));
        }
        threads.alive += 1;
        threads.peak = threads.peak.max(threads.alive);
        SystemHost.spawn(name, move || {
            body();
            host.threads.lock().alive -= 1;
            host.ended.notify_all();
        })
    }
}

fn aside(limit: usize, patience: Duration) -> &'static Aside<&'static CountingHost> {
    let host: &CountingHost = Box::leak(Box::new(CountingHost::with_limit(limit)));
    Box::leak(Box::new(Aside::on(host, patience)))
}

/// Waits as long as it takes; the limit is there for a queue that is broken.
fn wait<N>(from: &Receiver<N>) -> N {
    from.recv_timeout(PATIENCE).expect("a job has not run")
}

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);
const NO_LIMIT: usize = usize::MAX;

#[test]
fn law_t8_a_slow_job_holds_up_no_other() {
    for patience in [Duration::ZERO, SHORT, LONG] {
        let aside = aside(NO_LIMIT, patience);
        let (done, all_done) = channel();
        // Each slow job waits until every one of them runs, and all the quick ones between them have run.
        let together = Arc::new(Barrier::new(9));
        for _ in 0..8 {
            for _ in 0..10 {
                let done = done.clone();
                aside.submit(Box::new(move || done.send("quick").unwrap()));
            }
            let (done, together) = (done.clone(), Arc::clone(&together));
            aside.submit(Box::new(move || {
                together.wait();
                done.send("slow").unwrap();
            }));
        }
        for _ in 0..80 {
            assert_eq!(wait(&all_done), "quick");
        }
        together.wait();
        for _ in 0..8 {
            assert_eq!(wait(&all_done), "slow");
        }
    }
}

#[test]
fn a_waiting_worker_is_used_again() {
    let aside = aside(NO_LIMIT, LONG);
    for _ in 0..100 {
        let (done, is_done) = channel();
        aside.submit(Box::new(move || done.send(()).unwrap()));
        wait(&is_done);
        // The job is over before its worker waits for the next.
        while aside.crew.lock().idle == 0 {
            thread::yield_now();
        }
    }
    assert_eq!(aside.host.peak(), 1);
}

#[test]
fn a_burst_of_quick_jobs_uses_few_threads() {
    const JOBS: usize = 10_000;
    let aside = aside(NO_LIMIT, SHORT);
    let (done, all_done) = channel();
    for job in 0..JOBS {
        let done = done.clone();
        aside.submit(Box::new(move || done.send(job).unwrap()));
    }
    let mut ran: Vec<_> = (0..JOBS).map(|_| wait(&all_done)).collect();
    ran.sort_unstable();
    assert!(ran.into_iter().eq(0..JOBS), "each ran once");
    aside.host.wait_for_none();
    assert!(
        aside.host.peak() <= JOBS / 100,
        "{} threads",
        aside.host.peak()
    );
}

#[test]
fn bursts_from_many_threads_all_run_while_workers_come_and_go() {
    for patience in [Duration::ZERO, SHORT] {
        let aside = aside(NO_LIMIT, patience);
        let (done, all_done) = channel();
        let submitters: Vec<_> = (0..4)
            .map(|_| {
                let done = done.clone();
                thread::spawn(move || {
                    for job in 0..500 {
                        let done = done.clone();
                        aside.submit(Box::new(move || done.send(()).unwrap()));
                        if job % 50 == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        for _ in 0..4 * 500 {
            wait(&all_done);
        }
        for submitter in submitters {
            submitter.join().expect("no panic");
        }
        aside.host.wait_for_none();
        let crew = aside.crew.lock();
        assert_eq!(
            (crew.workers, crew.starting, crew.idle, crew.woken),
            (0, 0, 0, 0)
        );
    }
}

#[test]
fn workers_leave_when_there_is_nothing_to_do() {
    let aside = aside(NO_LIMIT, SHORT);
    for _ in 0..3 {
        let together = Arc::new(Barrier::new(4));
        for _ in 0..4 {
            let together = Arc::clone(&together);
            aside.submit(Box::new(move || {
                together.wait();
            }));
        }
        aside.host.wait_for_none();
        let crew = aside.crew.lock();
        assert!(crew.jobs.is_empty());
        assert_eq!(
            (crew.workers, crew.starting, crew.idle, crew.woken),
            (0, 0, 0, 0)
        );
    }
    assert!(aside.host.peak() >= 4);
}

/// Panics again, while its panic is being put away.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("on purpose, on drop");
    }
}

#[test]
fn law_t8_a_panic_stops_neither_the_others_nor_the_worker() {
    let aside = aside(1, LONG);
    let (done, all_done) = channel();
    for job in 0..20 {
        let done = done.clone();
        aside.submit(Box::new(move || match job % 4 {
            0 => panic!("on purpose"),
            1 => panic_any(PanicsOnDrop),
            _ => done.send(thread::current().id()).unwrap(),
        }));
    }
    let worker = wait(&all_done);
    for _ in 1..10 {
        assert_eq!(
            wait(&all_done),
            worker,
            "the one worker that the host allows is still there"
        );
    }
}

#[test]
fn without_any_thread_jobs_run_on_the_callers() {
    let aside = aside(0, LONG);
    let (done, all_done) = channel();
    for _ in 0..3 {
        let (done, inner) = (done.clone(), done.clone());
        aside.submit(Box::new(move || {
            // One that comes while another runs here waits for it, and is not forgotten.
            aside.submit(Box::new(move || {
                inner.send((thread::current().id(), "inner")).unwrap()
            }));
            done.send((thread::current().id(), "outer")).unwrap();
        }));
        let here = thread::current().id();
        assert_eq!(
            all_done.try_iter().collect::<Vec<_>>(),
            [(here, "outer"), (here, "inner")]
        );
    }
    let crew = aside.crew.lock();
    assert_eq!(
        (crew.workers, crew.starting, crew.idle, crew.woken),
        (0, 0, 0, 0)
    );
}

#[test]
fn with_too_few_threads_jobs_wait_and_run() {
    let aside = aside(2, SHORT);
    let (done, all_done) = channel();
    for job in 0..100 {
        let done = done.clone();
        aside.submit(Box::new(move || {
            thread::yield_now();
            done.send(job).unwrap();
        }));
    }
    let mut ran: Vec<_> = (0..100).map(|_| wait(&all_done)).collect();
    ran.sort_unstable();
    assert!(ran.into_iter().eq(0..100));
    aside.host.wait_for_none();
    assert_eq!(aside.crew.lock().workers, 0);
}

#[test]
fn the_shared_one_runs_jobs_on_named_threads() {
    let (done, is_done) = channel();
    run_aside(Box::new(move || {
        done.send(thread::current().name().map(str::to_owned))
            .unwrap()
    }));
    assert_eq!(wait(&is_done).as_deref(), Some("cancelable-callbacks"));
}
