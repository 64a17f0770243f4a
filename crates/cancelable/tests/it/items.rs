//! I1 and I2: every item once and in order, and none taken after a cancel.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

use cancelable::{Cancelable, CancellationToken, OperationStream, Reason};
use futures_util::stream::{self, FusedStream};
use futures_util::{Stream, StreamExt};
use tokio::time::sleep;

use crate::script::{Step, drain, in_operation, scripted};
use crate::support::{Log, Woken, heard, poll_once, secs};

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

#[test]
fn law_i2_a_stream_that_waits_in_another_task_is_woken() {
    let entered = Cancelable::new().enter_blocking();
    let mut items = pin!(entered.stream(stream::pending::<u32>()));
    let (first, waker) = Woken::new();
    let mut cx = Context::from_waker(&waker);
    assert!(items.as_mut().poll_next(&mut cx).is_pending());
    // It goes on to another task, whose turn it is to be woken.
    let (second, waker) = Woken::new();
    let mut cx = Context::from_waker(&waker);
    assert!(items.as_mut().poll_next(&mut cx).is_pending());
    entered.cancel();
    assert_eq!((first.times(), second.times()), (0, 1));
    assert!(matches!(
        items.poll_next(&mut cx),
        Poll::Ready(Some(Err(_)))
    ));
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
