//! Operations: streams inside one, and time limits, against the futures and streams that do the same without saying why.

use std::future::{pending, poll_fn, ready};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cancelable::{Cancelable, Reason};
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{sleep, timeout};

use super::asking::against;
use super::{Row, Theirs, row};
use crate::Effort;
use crate::sampling::{BARE, OURS, Samples, THEIRS, one_thread};
use crate::table::Measured;

pub(crate) static ROWS: &[Row] = &[
    row("stream item, over the bare stream's", |effort| {
        let theirs = Theirs::new();
        let operation = Cancelable::new().run(async |op| {
            let samples = one_thread(
                effort,
                [
                    &mut |items| {
                        let source = bare(items).take_until(theirs.cancelled());
                        drain(pin!(source), items, |item| item);
                    },
                    &mut |items| {
                        let source = op.stream(bare(items));
                        drain(pin!(source), items, |item| item.expect("not cancelled"));
                    },
                    &mut |items| drain(pin!(bare(items)), items, |item| item),
                ],
            );
            // A cancel is seen before the next item.
            let mut cut_off = pin!(op.stream(bare(2)));
            assert!(matches!(next(cut_off.as_mut()), Some(Ok(0))));
            op.cancel();
            assert!(matches!(next(cut_off), Some(Err(_))));
            samples
        });
        let Poll::Ready(Ok(samples)) = pin!(operation).poll(&mut context()) else {
            panic!("a body that finished, did so although it was cancelled last");
        };
        let [theirs, ours] = [THEIRS, OURS].map(|side| samples.median_over(side, BARE));
        Measured::against(theirs, ours, ours / theirs, 0.15)
    }),
    row("timeout around a ready future", |effort| {
        in_runtime(|cx| against(&limits(effort, cx, || ready(black_box(7)), 1), 2.0))
    }),
    row("timeout around a future that is pending once", |effort| {
        in_runtime(|cx| against(&limits(effort, cx, || PendingOnce(true), 2), 1.6))
    }),
];

/// Long enough never to fire, and to be armed where a program's limits are.
const LIMIT: Duration = Duration::from_secs(60);

/// Samples a limit around a future that is done at the `polls`th poll.
fn limits<F: Future<Output = u32>>(
    effort: &Effort,
    cx: &mut Context<'_>,
    body: impl Fn() -> F,
    polls: u32,
) -> Samples<2> {
    let waker = cx.waker();
    one_thread(
        effort,
        [
            &mut |rounds| {
                for _ in 0..rounds {
                    let limited = pin!(timeout(black_box(LIMIT), body()));
                    assert!(poll_to_end(limited, waker, polls).is_ok());
                }
            },
            &mut |rounds| {
                for _ in 0..rounds {
                    let plan = Cancelable::new().timeout(black_box(LIMIT));
                    let limited = pin!(plan.run(|_| body()));
                    assert!(poll_to_end(limited, waker, polls).is_ok());
                }
            },
        ],
    )
}

fn poll_to_end<F: Future>(mut future: Pin<&mut F>, waker: &Waker, polls: u32) -> F::Output {
    let mut cx = Context::from_waker(waker);
    for _ in 1..polls {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
    match future.poll(&mut cx) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("pending too often"),
    }
}

/// Measures within a runtime whose timer is at work already: the first limit that is armed in an idle one wakes it up, which
/// costs several times as much as the limit. Outside the budget of cooperative scheduling, which would have limits that are
/// made in one long poll be put off.
pub(super) fn in_runtime(measure: impl FnOnce(&mut Context<'_>) -> Measured) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O needs nothing that can be missing");
    runtime.block_on(tokio::task::unconstrained(async {
        let soon = Duration::from_millis(1);
        assert!(timeout(soon, pending::<()>()).await.is_err());
        let why = Cancelable::new().timeout(soon).run(|_| pending::<()>());
        assert_eq!(why.await.map_err(|why| why.reason()), Err(Reason::Timeout));

        let mut earlier = pin!(sleep(LIMIT / 2));
        let is_armed = poll_fn(|cx| Poll::Ready(earlier.as_mut().poll(cx).is_pending())).await;
        assert!(is_armed);
        // The timer sets itself to the earliest as it goes to sleep.
        sleep(soon).await;
        let mut measure = Some(measure);
        poll_fn(|cx| Poll::Ready(measure.take().expect("polled once")(cx))).await
    }))
}

/// A body that waits once. Nobody wakes its task, since it is polled by hand.
struct PendingOnce(bool);

impl Future for PendingOnce {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<u32> {
        if std::mem::take(&mut self.0) {
            Poll::Pending
        } else {
            Poll::Ready(black_box(7))
        }
    }
}

/// A stream of that many items, always ready.
fn bare(items: u64) -> impl Stream<Item = u64> {
    stream::iter(0..black_box(items))
}

/// Takes all items, and counts them.
fn drain<S: Stream>(mut stream: Pin<&mut S>, items: u64, take: impl Fn(S::Item) -> u64) {
    let mut count = 0;
    while let Some(item) = next(stream.as_mut()) {
        black_box(take(item));
        count += 1;
    }
    assert_eq!(count, items);
}

/// As a loop of one's own would have it: part of the loop.
#[inline(always)]
fn next<S: Stream>(stream: Pin<&mut S>) -> Option<S::Item> {
    match stream.poll_next(&mut context()) {
        Poll::Ready(item) => item,
        Poll::Pending => panic!("its source is always ready"),
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
