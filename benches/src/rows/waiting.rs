//! Waiting for a cancel as a future.

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::asking::against;
use super::{Ours, Row, Theirs, repeat, row};
use crate::sampling::one_thread;

pub(crate) static ROWS: &[Row] = &[
    row("`cancelled()` polled once and dropped", |effort| {
        let (theirs, ours) = tokens();
        let samples = one_thread(
            effort,
            [
                &mut repeat!(poll(pin!(black_box(&theirs).cancelled())).is_pending()),
                &mut repeat!(poll(pin!(black_box(&ours).cancelled())).is_pending()),
            ],
        );
        against(&samples, 0.7)
    }),
    row("`cancelled()` polled again while pending", |effort| {
        let (theirs, ours) = tokens();
        let mut their_wait = pin!(theirs.cancelled());
        let mut our_wait = pin!(ours.cancelled());
        let samples = one_thread(
            effort,
            [
                &mut repeat!(poll(black_box(&mut their_wait).as_mut()).is_pending()),
                &mut repeat!(poll(black_box(&mut our_wait).as_mut()).is_pending()),
            ],
        );
        theirs.cancel();
        ours.cancel();
        assert!(poll(their_wait).is_ready() && poll(our_wait).is_ready());
        against(&samples, 0.25)
    }),
    row("`run_until_cancelled` of a ready future", |effort| {
        let (theirs, ours) = tokens();
        assert_eq!(
            poll(pin!(theirs.run_until_cancelled(ready(7)))),
            Poll::Ready(Some(7))
        );
        assert!(matches!(
            poll(pin!(ours.run_until_cancelled(ready(7)))),
            Poll::Ready(Ok(7))
        ));
        let samples = one_thread(
            effort,
            [
                &mut repeat!(
                    poll(pin!(black_box(&theirs).run_until_cancelled(ready(7)))).is_ready()
                ),
                &mut repeat!(poll(pin!(black_box(&ours).run_until_cancelled(ready(7)))).is_ready()),
            ],
        );
        against(&samples, 0.25)
    }),
];

/// A token of either kind, after two others have shown that who waits hears of a cancel.
fn tokens() -> (Theirs, Ours) {
    let (theirs, ours) = (Theirs::new(), Ours::new());
    let (mut their_wait, mut our_wait) = (pin!(theirs.cancelled()), pin!(ours.cancelled()));
    assert!(poll(their_wait.as_mut()).is_pending() && poll(our_wait.as_mut()).is_pending());
    theirs.cancel();
    ours.cancel();
    assert!(poll(their_wait).is_ready() && poll(our_wait).is_ready());
    (Theirs::new(), Ours::new())
}

/// Polls once, for a waker whose clone and drop are free.
fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
