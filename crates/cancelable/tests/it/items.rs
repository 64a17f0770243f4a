//! I1 and I2: every item once and in order, and none taken after a cancel.

use std::collections::VecDeque;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use cancelable::{Cancelable, Cancellation, CancellationToken, Operation, OperationStream, Reason};
use futures_util::stream::{self, FusedStream};
use futures_util::{Stream, StreamExt};
use proptest::prelude::*;
use tokio::time::sleep;

use crate::support::{Log, Woken, heard, poll_once, secs};

/// What a scripted source does when it is polled.
#[derive(Clone, Debug)]
enum Step {
    Item(u32),
    /// Wakes its task, and has nothing yet.
    Later,
    /// Cancels its own operation, and goes on with the next step.
    Cancel,
}

/// A source that follows its script, and notes what is done to it.
struct Scripted {
    script: VecDeque<Step>,
    log: Log,
    op: Operation,
}

impl Stream for Scripted {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        self.log.note("polled");
        loop {
            match self.script.pop_front() {
                Some(Step::Item(item)) => return Poll::Ready(Some(item)),
                Some(Step::Later) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Cancel) => _ = self.op.cancel_with("by the source"),
                None => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.script.len()))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let left = self.script.iter();
        let left = left.filter(|step| matches!(step, Step::Item(_))).count();
        self.log.note(format!("dropped with {left}"));
    }
}

fn scripted(op: &Operation, log: &Log, script: impl IntoIterator<Item = Step>) -> Scripted {
    Scripted {
        script: script.into_iter().collect(),
        log: log.clone(),
        op: op.clone(),
    }
}

/// Polls a stream to its end, or so often; checks its size hints and its `is_terminated` on the way.
fn drain<S, T>(mut items: Pin<&mut S>, polls: usize) -> Vec<Result<T, Cancellation>>
where
    S: FusedStream<Item = Result<T, Cancellation>>,
{
    let (mut got, mut hints) = (Vec::new(), Vec::new());
    for _ in 0..polls {
        let was_terminated = items.is_terminated();
        hints.push((got.len(), items.size_hint()));
        let next = pin!(items.next());
        match poll_once(next) {
            Poll::Ready(Some(item)) => {
                assert!(!was_terminated, "terminated, and yet there was an item");
                got.push(item);
            }
            Poll::Ready(None) => {
                assert!(items.is_terminated());
                for (before, (least, most)) in hints {
                    let came = got.len() - before;
                    assert!(least <= came && most.is_none_or(|most| came <= most));
                }
                let next = pin!(items.next());
                assert!(matches!(poll_once(next), Poll::Ready(None)));
                break;
            }
            Poll::Pending => {}
        }
    }
    got
}

/// Runs `body`, which is ready at once, in an operation.
fn in_operation<T>(body: impl FnOnce(Operation) -> T) -> T {
    let mut run = pin!(Cancelable::new().run(async move |op| body(op)));
    match poll_once(run.as_mut()) {
        Poll::Ready(Ok(value)) => value,
        Poll::Ready(Err(_)) | Poll::Pending => unreachable!("it is ready at once"),
    }
}

fn script() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![6 => Just(true), 3 => Just(false)];
    (
        prop::collection::vec(step, 0..40),
        prop::option::of(0..40usize),
    )
        .prop_map(|(steps, cancel)| {
            let mut number = 0;
            let mut script: Vec<_> = steps
                .into_iter()
                .map(|is_item| {
                    number += u32::from(is_item);
                    if is_item {
                        Step::Item(number)
                    } else {
                        Step::Later
                    }
                })
                .collect();
            if let Some(at) = cancel {
                script.insert(at.min(script.len()), Step::Cancel);
            }
            script
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_i1_random_every_item_once_in_order(
        script in script(), chunk in 0..9usize, keep in 0..9usize, cancel_at in 0..60usize,
    ) {
        let all = script.iter().filter(|step| matches!(step, Step::Item(_))).count();
        in_operation(|op| {
            let log = Log::default();
            let items = op.stream(scripted(&op, &log, script)).keep(keep);
            let kept = items.kept();
            let mut got: Vec<u32> = Vec::new();
            let mut end = None;
            let mut take = |next: Vec<Result<Vec<u32>, Cancellation>>| {
                for next in next {
                    assert!(end.is_none(), "nothing comes after the reason");
                    match next {
                        Ok(items) => {
                            assert!(!items.is_empty() && items.len() <= chunk.max(1));
                            got.extend(items);
                        }
                        Err(why) => end = Some(why),
                    }
                }
            };
            // Some polls, a cancel between two of them, and the rest.
            let (delivered, is_completed) = if chunk == 0 {
                let single = |got: Vec<Result<u32, Cancellation>>| {
 let got = got.into_iter();
 got.map(|item| item.map(|item| vec![item])).collect()
 };
 let mut items = pin!(items);
                take(single(drain(items.as_mut(), cancel_at)));
                op.cancel_with("between polls");
                take(single(drain(items.as_mut(), 200)));
                (items.delivered(), items.is_completed())
            } else {
                let mut items = pin!(items.chunks(chunk));
                take(drain(items.as_mut(), cancel_at));
                op.cancel_with("between polls");
                take(drain(items.as_mut(), 200));
                (items.delivered(), items.is_completed())
            };
            // Delivered and still there make all, in order, and the count knows.
            let left = log.take().pop().expect("it was dropped");
            let left: usize = left.strip_prefix("dropped with ").expect("last").parse().expect("a number");
            assert_eq!(got.len() + left, all);
            assert!(got.iter().copied().eq(1..=got.len() as u32));
            assert_eq!(delivered, got.len() as u64);
            assert_eq!(op.context().items, delivered);
            assert_eq!(is_completed, end.is_none());
            assert_eq!(kept.items(), got[got.len().saturating_sub(keep)..]);
        });
    }
}

#[test]
fn law_i2_the_source_is_dropped_before_the_reason_comes() {
    in_operation(|op| {
        let log = Log::default();
        let script = [Step::Item(1), Step::Item(2), Step::Item(3)];
        let mut items = pin!(op.stream(scripted(&op, &log, script)));
        assert!(matches!(
            poll_once(pin!(items.next())),
            Poll::Ready(Some(Ok(1)))
        ));
        op.cancel_with("enough");
        let Poll::Ready(Some(Err(why))) = poll_once(pin!(items.next())) else {
            panic!("cancelled between two items");
        };
        assert_eq!(why.message(), "enough");
        assert_eq!(log.take(), ["polled", "dropped with 2"]);
        assert_eq!(items.size_hint(), (0, Some(0)));
        assert!(items.is_terminated() && !items.is_completed());
        for _ in 0..3 {
            assert!(matches!(poll_once(pin!(items.next())), Poll::Ready(None)));
        }
    });
}

#[test]
fn law_i2_a_source_that_cancels_is_heard_after_its_item() {
    in_operation(|op| {
        let log = Log::default();
        let script = [Step::Item(1), Step::Cancel, Step::Item(2), Step::Item(3)];
        let mut items = pin!(op.stream(scripted(&op, &log, script)));
        let got = drain(items.as_mut(), 9);
        assert_eq!(got[..2], [Ok(1), Ok(2)]);
        assert_eq!(got[2].as_ref().unwrap_err().message(), "by the source");
        assert_eq!(log.take(), ["polled", "polled", "dropped with 1"]);
    });
    in_operation(|op| {
        let log = Log::default();
        let mut items = pin!(op.stream(scripted(&op, &log, [Step::Cancel, Step::Later])));
        // Not one poll later.
        assert!(matches!(
            poll_once(pin!(items.next())),
            Poll::Ready(Some(Err(_)))
        ));
        assert_eq!(log.take(), ["polled", "dropped with 0"]);
    });
}

#[test]
fn law_i2_a_progress_callback_that_cancels_loses_no_item() {
    in_operation(|op| {
        let cancelled = op.clone();
        op.on_progress(move |_, report| {
            assert_eq!(report.message, "processed 2 items");
            assert!(cancelled.cancel());
        });
        let mut items = pin!(op.stream(stream::iter(1..)).report_every(2));
        let got = drain(items.as_mut(), 9);
        assert_eq!(got[..2], [Ok(1), Ok(2)]);
        assert!(got[2].is_err() && got.len() == 3);
    });
}

#[test]
fn law_i2_a_source_that_waits_is_interrupted_at_once() {
    let token = CancellationToken::new();
    let log = Log::default();
    let (woken, waker) = Woken::new();
    let mut run = pin!(heard(&log).token(&token).run(async |op| {
        let mut items = op.stream(stream::pending::<u32>());
        items.next().await.unwrap().unwrap_err().reason()
    }));
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(woken.times(), 0);
    std::thread::spawn(move || token.cancel()).join().unwrap();
    assert!(woken.times() > 0);
    let Poll::Ready(Ok(Reason::Manual)) = run.as_mut().poll(&mut cx) else {
        panic!("the reason came through the stream");
    };
    assert_eq!(log.take(), ["start running", "complete completed"]);
}

#[tokio::test(start_paused = true)]
async fn law_i2_a_chunk_that_has_begun_is_delivered_before_the_reason() {
    let token = CancellationToken::new();
    let canceller = token.clone();
    tokio::spawn(async move {
        sleep(secs(1)).await;
        canceller.cancel_with("in the middle")
    });
    let outcome = Cancelable::new().token(&token).run(async |op| {
        let source = stream::iter([1, 2, 3, 4, 5]).chain(stream::pending());
        let mut chunks = op.stream(source).chunks(3);
        assert_eq!(chunks.next().await.unwrap().unwrap(), [1, 2, 3]);
        assert_eq!(chunks.next().await.unwrap().unwrap(), [4, 5]);
        assert!(!chunks.is_terminated());
        let why = chunks.next().await.unwrap().unwrap_err();
        assert!(chunks.is_terminated() && !chunks.is_completed());
        assert!(chunks.next().await.is_none());
        why
    });
    assert_eq!(outcome.await.unwrap().message(), "in the middle");
}

#[test]
fn law_i1_chunks_of_zero_are_refused_and_of_any_other_size_fine() {
    in_operation(|op| {
        let zero = || drop(op.stream(stream::iter([1])).chunks(0));
        let panic = catch_unwind(AssertUnwindSafe(zero)).unwrap_err();
        let text = panic.downcast_ref::<&str>().unwrap();
        assert!(text.contains("the size of a chunk is zero"), "{text}");
        let all = op.stream(stream::iter(0..5)).chunks(usize::MAX);
        assert_eq!(drain(pin!(all), 9), [Ok(vec![0, 1, 2, 3, 4])]);
        let none = op.stream(stream::empty::<u32>()).chunks(4);
        assert_eq!(drain(pin!(none), 9), []);
    });
}

#[tokio::test]
async fn law_i2_a_stream_that_left_the_body_hears_of_the_cancel() {
    let lent = Cancelable::new().run(async |op| op.stream(stream::iter(1..)));
    let mut items: OperationStream<_> = lent.await.unwrap();
    // What has ended without a cancel cancels nothing.
    assert_eq!(items.next().await, Some(Ok(1)));
    let (send, mut sent) = tokio::sync::mpsc::unbounded_channel();
    let mut run = Box::pin(Cancelable::new().run(async move |op| {
        send.send(op.stream(stream::iter(1..))).unwrap();
        pending::<()>().await;
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    let mut items = sent.recv().await.unwrap();
    assert_eq!(items.next().await, Some(Ok(1)));
    drop(run);
    let why = items.next().await.unwrap().unwrap_err();
    assert_eq!(why.reason(), Reason::Dropped);
}
