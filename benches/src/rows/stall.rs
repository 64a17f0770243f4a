//! The longest that a thread is held up by an operation on a token while another thread cancels its million children.
//!
//! What the machine itself holds a thread up by is measured in the same place, by the load of a word that nobody else
//! touches: that is all that a row can reach, so it counts as reached within what that load saw in its own processes.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Ours, Row, Theirs, row};
use crate::Effort;
use crate::process;
use crate::sampling::median;
use crate::table::{Measured, Unit, Verdict, figure};
use crate::threads::two_cores;

pub(crate) static ROWS: &[Row] = &[
    row(
        "longest stall while a million are cancelled: `is_cancelled`",
        |effort| stall(effort, "is_cancelled"),
    ),
    row(
        "longest stall while a million are cancelled: clone",
        |effort| stall(effort, "clone"),
    ),
    row(
        "longest stall while a million are cancelled: drop",
        |effort| stall(effort, "drop"),
    ),
];

fn stall(effort: &Effort, operation: &str) -> Measured {
    let children = effort.children(1_000_000);
    let [theirs, ours, plain] = process::figures(
        effort,
        [
            &format!("stall theirs {operation} {children}"),
            &format!("stall ours {operation} {children}"),
            &format!("stall ours load {children}"),
        ],
    );
    let longest_plain = plain.iter().copied().fold(0.0, f64::max);
    let [theirs, ours, plain] = [theirs, ours, plain].map(median);
    Measured {
        theirs: Some(theirs),
        ours,
        unit: Unit::Nanoseconds,
        ratio: Some(ours / theirs),
        reach: format!("load's {}", figure(plain, Unit::Nanoseconds)),
        verdict: Verdict::of(ours <= longest_plain),
    }
}

/// The longest that the operation took, in nanoseconds.
pub(super) fn subject(whose: &str, operation: &str, children: usize) -> f64 {
    match whose {
        "theirs" => longest(
            Side {
                root: Theirs::new(),
                child: Theirs::child_token,
                is_cancelled: Theirs::is_cancelled,
                cancel: Theirs::cancel,
            },
            operation,
            children,
        ),
        "ours" => longest(
            Side {
                root: Ours::new(),
                child: Ours::child_token,
                is_cancelled: Ours::is_cancelled,
                cancel: |root| {
                    root.cancel();
                },
            },
            operation,
            children,
        ),
        _ => panic!("no such side: {whose}"),
    }
}

struct Side<T> {
    root: T,
    child: fn(&T) -> T,
    is_cancelled: fn(&T) -> bool,
    cancel: fn(&T),
}

fn longest<T: Clone + Send + Sync>(side: Side<T>, operation: &str, children: usize) -> f64 {
    let family: Vec<_> = (0..children).map(|_| (side.child)(&side.root)).collect();
    let mut observed = observed(&side, operation);
    let [first, second] = two_cores();
    let moment = Moment::default();
    let longest = std::thread::scope(|scope| {
        scope.spawn(|| {
            core_affinity::set_for_current(second);
            moment.begin();
            (side.cancel)(&side.root);
            moment.end();
        });
        scope
            .spawn(|| {
                core_affinity::set_for_current(first);
                moment.observe(&mut *observed)
            })
            .join()
            .expect("it only looks on")
    });
    drop(observed);
    assert!(family.iter().all(side.is_cancelled));
    longest.as_nanos() as f64
}

/// Does the operation once, and says how long that took.
type Observed<'a> = Box<dyn FnMut() -> Duration + Send + 'a>;

fn observed<'a, T: Clone + Send + Sync>(side: &'a Side<T>, operation: &str) -> Observed<'a> {
    let root = &side.root;
    match operation {
        "load" => {
            let word = Box::new(Apart(AtomicU64::new(0)));
            Box::new(move || time(|| word.0.load(Ordering::Acquire)).0)
        }
        "is_cancelled" => Box::new(|| time(|| (side.is_cancelled)(root)).0),
        "clone" => Box::new(|| time(|| root.clone()).0),
        "drop" => {
            // Made before, since one that is made meanwhile may wait there.
            let mut clones = vec![root.clone(); 1_000_000];
            Box::new(move || {
                let clone = clones.pop().unwrap_or_else(|| root.clone());
                time(|| drop(clone)).0
            })
        }
        _ => panic!("no such operation: {operation}"),
    }
}

fn time<R>(f: impl FnOnce() -> R) -> (Duration, R) {
    let start = Instant::now();
    let result = black_box(f());
    (start.elapsed(), result)
}

/// A word on a cache line of its own.
#[repr(align(128))]
struct Apart(AtomicU64);

/// The time in which the cancel goes on. Both threads spin until the other is there.
#[derive(Default)]
struct Moment {
    is_observed: AtomicBool,
    has_begun: AtomicBool,
    has_ended: AtomicBool,
}

impl Moment {
    fn begin(&self) {
        while !self.is_observed.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        self.has_begun.store(true, Ordering::Release);
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    fn observe(&self, observed: &mut dyn FnMut() -> Duration) -> Duration {
        self.is_observed.store(true, Ordering::Release);
        while !self.has_begun.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        let mut longest = observed();
        while !self.has_ended.load(Ordering::Acquire) {
            longest = longest.max(observed());
        }
        longest
    }
}
