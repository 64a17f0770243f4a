//! The timer driven by hand, and on the real clock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::{STEPS, Sleep, State, Timer};
use crate::timer::host::{Host, SystemHost};
use crate::timer::manual::{ManualHost, PATIENCE};

type Job = Box<dyn FnOnce() + Send>;

/// A timer whose payloads are run, and which outlives the test as the timer of a program does.
fn timer<H: Host>(host: H) -> &'static Timer<Job, H> {
    Box::leak(Box::new(Timer::on(host, |job: Job| job())))
}

/// A payload that tells its number.
fn tell<N: Send + 'static>(number: N, to: &Sender<N>) -> Job {
    let to = to.clone();
    Box::new(move || to.send(number).unwrap())
}

/// Waits as long as it takes; the limit is there for a timer that is broken.
fn wait<N>(from: &Receiver<N>) -> N {
    from.recv_timeout(PATIENCE).expect("nothing has fired")
}

impl Timer<Job, ManualHost> {
    /// Moves the clock, and waits until the thread has done what was due and sleeps again; says until when.
    fn move_on(&self, by: Duration) -> Option<Instant> {
        let state = self.settled();
        let seen = self.host.sleeps();
        self.host.advance(by);
        self.changed.notify_one();
        drop(state);
        drop(self.settled_after(seen));
        self.host.sleep_after(seen)
    }

    /// Waits until the thread sleeps and has nothing to look at before it goes on sleeping.
    fn settled(&self) -> MutexGuard<'_, State<Job>> {
        self.settled_after(0)
    }

    fn settled_after(&self, mut seen: usize) -> MutexGuard<'_, State<Job>> {
        loop {
            self.host.sleep_after(seen);
            let state = self.state.lock();
            if state.sleep != Sleep::Awake {
                return state;
            }
            seen = self.host.sleeps();
        }
    }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn law_t11_never_early() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let start = timer.host.now();
    timer.arm(start + Duration::from_micros(10_500), tell(1, &sender));
    timer.arm(start + Duration::from_micros(10_999), tell(2, &sender));
    timer.arm(start + millis(11), tell(3, &sender));
    timer.arm(start + Duration::from_nanos(11_000_001), tell(4, &sender));
    drop(timer.settled());

    timer.move_on(Duration::from_nanos(10_999_999));
    assert_eq!(fired.try_iter().count(), 0, "in the eleventh millisecond");
    timer.move_on(Duration::from_nanos(1));
    assert_eq!(
        fired.try_iter().collect::<Vec<_>>(),
        [1, 2, 3],
        "at its end"
    );
    timer.move_on(Duration::from_nanos(999_999));
    assert_eq!(fired.try_iter().count(), 0, "rounded up, never down");
    assert_eq!(timer.move_on(Duration::from_nanos(1)), None);
    assert_eq!(fired.try_iter().collect::<Vec<_>>(), [4]);
}

#[test]
fn law_t11_the_past_and_the_present_fire_at_once() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let now = timer.host.now();
    timer.arm(now, tell(1, &sender));
    assert_eq!(wait(&fired), 1);
    timer.arm(now.checked_sub(millis(1)).unwrap_or(now), tell(2, &sender));
    assert_eq!(wait(&fired), 2);
}

#[test]
fn law_t11_years_are_fine() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let year = Duration::from_secs(365 * 24 * 3600);
    let now = timer.host.now();
    timer.arm(now + 1000 * year, tell(1000, &sender));
    timer.arm(now + year, tell(1, &sender));
    drop(timer.settled());
    timer.move_on(year - millis(1));
    assert_eq!(fired.try_iter().count(), 0);
    timer.move_on(millis(1));
    assert_eq!(wait(&fired), 1);
    timer.move_on(998 * year);
    assert_eq!(fired.try_iter().count(), 0);
    timer.move_on(year);
    assert_eq!(wait(&fired), 1000);
}

#[test]
fn sleeps_for_good_when_nothing_is_armed() {
    let timer = timer(ManualHost::new());
    let at = timer.host.now() + millis(50);
    let keys: Vec<_> = (0..100).map(|_| timer.arm(at, Box::new(|| {}))).collect();
    drop(timer.settled());
    for key in keys {
        assert!(timer.disarm(key).is_some());
        assert!(timer.disarm(key).is_none());
    }
    assert_eq!(
        timer.state.lock().sleep,
        Sleep::Until(50),
        "disarming wakes nobody"
    );
    assert_eq!(
        timer.move_on(millis(50)),
        None,
        "it wakes once for all that have gone"
    );
    assert_eq!(timer.state.lock().sleep, Sleep::ForGood);
}

#[test]
fn only_something_earlier_wakes_the_thread() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let start = timer.host.now();
    timer.arm(start + millis(30), tell(30, &sender));
    drop(timer.settled());
    for later in 30..1000 {
        timer.arm(start + millis(later), Box::new(|| {}));
        assert_eq!(timer.state.lock().sleep, Sleep::Until(30));
    }
    let seen = timer.host.sleeps();
    timer.arm(start + millis(29), tell(29, &sender));
    assert_eq!(timer.host.sleep_after(seen), Some(start + millis(29)));
    assert_eq!(timer.state.lock().sleep, Sleep::Until(29));
    timer.move_on(millis(30));
    assert_eq!(fired.try_iter().collect::<Vec<_>>(), [29, 30]);
}

#[test]
fn a_panic_does_not_end_the_thread() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let start = timer.host.now();
    timer.arm(start + millis(1), Box::new(|| panic!("on purpose")));
    timer.arm(start + millis(1), tell(1, &sender));
    timer.arm(start + millis(2), tell(2, &sender));
    drop(timer.settled());
    timer.move_on(millis(1));
    assert_eq!(wait(&fired), 1);
    timer.move_on(millis(1));
    assert_eq!(wait(&fired), 2);
}

#[test]
fn what_fires_may_arm_and_disarm() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let start = timer.host.now();
    let taken_back = timer.arm(start + millis(5), tell("taken back", &sender));
    let next = tell("armed by another", &sender);
    let done = tell("done", &sender);
    timer.arm(
        start + millis(1),
        Box::new(move || {
            assert!(timer.disarm(taken_back).is_some());
            assert_eq!(timer.state.lock().sleep, Sleep::Awake);
            timer.arm(start + millis(1), next);
            done();
        }),
    );
    drop(timer.settled());
    assert_eq!(timer.move_on(millis(1)), None);
    assert_eq!(
        fired.try_iter().collect::<Vec<_>>(),
        ["done", "armed by another"]
    );
}

#[test]
fn law_t11_of_those_in_one_millisecond_the_earliest_fires_first() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let start = timer.host.now();
    // More than leave the wheel under one lock, the later the earlier armed; each time twice.
    let all = 2 * STEPS as u64;
    for micros in (1..=all).rev().map(|number| number * 500 / all) {
        let at = start + Duration::from_micros(micros);
        timer.arm(at, tell((micros, 1), &sender));
        timer.arm(at, tell((micros, 2), &sender));
    }
    drop(timer.settled());
    assert_eq!(timer.move_on(millis(1)), None);
    let fired: Vec<_> = fired.try_iter().collect();
    assert_eq!(fired.len() as u64, 2 * all);
    assert!(fired.is_sorted_by_key(|(micros, _)| *micros));
}

#[test]
fn without_a_thread_nothing_is_armed_and_the_next_call_tries_again() {
    let timer = timer(ManualHost::new());
    let (sender, fired) = channel();
    let start = timer.host.now();
    let alive = Arc::new(());
    let payload: Job = Box::new({
        let alive = Arc::clone(&alive);
        move || drop(alive)
    });

    timer.host.refuse_threads(true);
    let panic = catch_unwind(AssertUnwindSafe(|| timer.arm(start, payload)));
    let panic = panic.expect_err("there is no thread").downcast::<String>();
    assert!(
        panic
            .expect("a message")
            .contains("cannot be started: no more threads")
    );
    assert!(timer.state.lock().wheel.is_empty());
    assert_eq!(Arc::strong_count(&alive), 1, "the payload has been dropped");

    timer.host.refuse_threads(false);
    timer.arm(start, tell((), &sender));
    wait(&fired);
}

#[test]
fn it_can_be_a_static() {
    static TIMER: Timer<Job> = Timer::new(|job| job());
    let (sender, fired) = channel();
    let name = move || {
        sender
            .send(thread::current().name().map(str::to_owned))
            .unwrap()
    };
    TIMER.arm(Instant::now(), Box::new(name));
    assert_eq!(wait(&fired).as_deref(), Some("cancelable-timer"));
}

#[test]
fn law_t11_never_early_on_the_real_clock() {
    let timer = timer(SystemHost);
    let (sender, fired) = channel();
    for micros in (0..60_000)
        .step_by(311)
        .chain((0..60_000).rev().step_by(499))
    {
        let at = Instant::now() + Duration::from_micros(micros);
        let sender = sender.clone();
        timer.arm(
            at,
            Box::new(move || sender.send((at, Instant::now())).unwrap()),
        );
    }
    drop(sender);
    // The channel ends when every payload has fired, or has been dropped.
    let mut count = 0;
    while let Ok((at, now)) = fired.recv_timeout(PATIENCE) {
        assert!(at <= now, "{:?} early", at - now);
        count += 1;
    }
    assert_eq!(
        count,
        60_000_usize.div_ceil(311) + 60_000_usize.div_ceil(499)
    );
}

#[test]
fn each_fires_or_is_taken_back_from_many_threads() {
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 500;
    let timer = timer(SystemHost);
    let (sender, fired) = channel();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut taken_back = 0;
                let mut key = None;
                for round in 0..ROUNDS {
                    let at =
                        Instant::now() + Duration::from_micros((round * 37 + thread * 11) % 3000);
                    let earlier = key.replace(timer.arm(at, tell((), &sender)));
                    if let Some(key) = earlier.filter(|_| round % 2 == 0) {
                        taken_back += u64::from(timer.disarm(key).is_some());
                    }
                }
                taken_back
            })
        })
        .collect();
    let taken_back: u64 = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .sum();
    drop(sender);
    let mut count = 0;
    while let Ok(()) = fired.recv_timeout(PATIENCE) {
        count += 1;
    }
    assert_eq!(count + taken_back, THREADS * ROUNDS);
    assert!(timer.state.lock().wheel.is_empty());
}
