//! What it costs to link an operation to a shutdown: nothing rivals that, so the figure is to stay below a length of time.

use std::pin::pin;
use std::task::{Context, Waker};

use cancelable::Cancelable;
use cancelable_http::Shutdown;

use super::{Row, row};
use crate::sampling::{Samples, one_thread};
use crate::table::{Measured, Unit, Verdict};
use crate::threads::two_threads;

pub(crate) static ROWS: &[Row] = &[
    row(
        "shutdown: linked to one, over a named operation",
        |effort| {
            let shutdown = Shutdown::new();
            check(&shutdown);
            let samples: Samples<2> = one_thread(
                effort,
                [
                    &mut |rounds| run(rounds, |plan| shutdown.plan(plan)),
                    &mut |rounds| run(rounds, |plan| plan),
                ],
            );
            assert_eq!(shutdown.running(), 0);
            Measured::within(samples.median_over(0, 1), 300.0)
        },
    ),
    row("shutdown: the same, 2 threads over 1", |effort| {
        let shutdown = Shutdown::new();
        let linked = |rounds| run(rounds, |plan| shutdown.plan(plan));
        let alone = one_thread(effort, [&mut { linked }]).median(0);
        let times = two_threads(effort, [&linked]).median(0) / alone;
        Measured {
            theirs: None,
            ours: times,
            unit: Unit::Times,
            ratio: None,
            reach: "≤ 2 ×".to_owned(),
            verdict: Verdict::of(times <= 2.0),
        }
    }),
];

/// That what is linked is asked.
fn check(shutdown: &Shutdown) {
    let other = Shutdown::new().grace(std::time::Duration::MAX);
    let plan = other.plan(Cancelable::new());
    let mut run = pin!(plan.run(async |op| op.cancelled().await));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert!(other.begin());
    assert!(run.as_mut().poll(&mut cx).is_ready());
    assert!(!shutdown.is_begun());
}

/// Runs operations to their end, one after the other.
fn run(rounds: u64, link: impl Fn(Cancelable) -> Cancelable) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..rounds {
        let plan = link(Cancelable::new().name("request"));
        let run = pin!(plan.run(async |_| ()));
        assert!(run.poll(&mut cx).is_ready());
    }
}
