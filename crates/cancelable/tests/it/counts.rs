//! I3: the count is exact however a stream ends, and the most recent items are kept where asked.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use cancelable::{Cancelable, CancellationToken, Operation};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{Handle, Log, OnDrop, poll_once};

/// Takes so many items, and leaves the stream open.
async fn take(op: &Operation, many: usize) -> impl Sized + use<> {
    let mut items = op.stream(stream::iter(0_u64..));
    for number in 0..many as u64 {
        assert_eq!(items.delivered(), number);
        assert_eq!(items.next().await, Some(Ok(number)));
    }
    items
}

#[tokio::test]
async fn law_i3_counts_during_and_after_whatever_the_end() {
    let handle = Handle::default();
    let keep = handle.clone();
    let run = Cancelable::new().run(async move |op| {
        keep.keep(&op);
        let one = take(&op, 3).await;
        assert_eq!(op.context().items, 3);
        let two = take(&op, 4).await;
        assert_eq!(op.context().items, 7);
        drop(one);
        assert_eq!(op.context().items, 7);
        let _three = take(&op, 5).await;
        drop(two);
        assert_eq!(op.context().items, 12);
        op.cancel();
        pending::<()>().await;
    });
    assert!(run.await.is_err());
    assert_eq!(handle.there().context().items, 12);
}

#[tokio::test]
async fn law_i3_counts_after_a_drop_and_after_a_panic() {
    let dropped = Handle::default();
    {
        let keep = dropped.clone();
        let mut run = pin!(Cancelable::new().run(async move |op| {
            keep.keep(&op);
            let _items = take(&op, 6).await;
            pending::<()>().await;
        }));
        assert!(poll_once(run.as_mut()).is_pending());
        assert_eq!(dropped.there().context().items, 6);
    }
    assert_eq!(dropped.there().context().items, 6);

    let log = Log::default();
    let counted = log.clone();
    let run = Cancelable::new()
        .on_error(move |context| counted.note(context.items.to_string()))
        .run(async |op| {
            let _items = take(&op, 8).await;
            panic!("fell over");
        });
    assert!(AssertUnwindSafe(run).catch_unwind().await.is_err());
    assert_eq!(log.take(), ["8"]);
}

#[tokio::test]
async fn law_i3_a_source_that_falls_over_counts_what_it_gave() {
    let handle = Handle::default();
    let keep = handle.clone();
    let run = Cancelable::new().run(async move |op| {
        keep.keep(&op);
        let source = stream::iter(0..9).inspect(|&item| assert!(item < 5, "fell over"));
        let items = op.stream(source);
        items.for_each(|_| std::future::ready(())).await;
    });
    assert!(AssertUnwindSafe(run).catch_unwind().await.is_err());
    assert_eq!(handle.there().context().items, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn law_i3_counts_streams_of_several_threads() {
    let run = Cancelable::new().run(async |op| {
        let mut tasks = JoinSet::new();
        let (ready, mut readies) = mpsc::channel(8);
        for number in 1..=4_usize {
            let (op, ready) = (op.clone(), ready.clone());
            tasks.spawn(async move {
                let open = take(&op, 100 * number).await;
                drop(take(&op, 1000).await);
                ready.send(()).await.unwrap();
                op.cancelled().await;
                drop(open);
            });
        }
        for _ in 0..4 {
            readies.recv().await.unwrap();
        }
        assert_eq!(op.context().items, 5000);
        op.cancel();
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        assert_eq!(op.context().items, 5000);
    });
    // It never waited for anything that was not ready, or it was stopped at such an await.
    let _ = run.await;
}

#[test]
fn law_i3_counts_a_stream_on_a_plain_thread() {
    let entered = Cancelable::new().enter_blocking();
    let mut items = pin!(entered.stream(stream::iter(0..)));
    for _ in 0..10 {
        assert!(poll_once(pin!(items.next())).is_ready());
    }
    assert_eq!(entered.context().items, 10);
    entered.cancel();
    assert!(poll_once(pin!(items.next())).is_ready());
    assert_eq!((items.delivered(), entered.context().items), (10, 10));
}

#[tokio::test]
async fn law_i3_keeps_as_many_as_asked_the_newest() {
    Cancelable::new()
        .run(async |op| {
            for (keep, expected) in [
                (0, &[][..]),
                (1, &[9]),
                (3, &[7, 8, 9]),
                (10, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
                (usize::MAX, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            ] {
                let mut items = op.stream(stream::iter(0..10)).keep(keep);
                let kept = items.kept();
                while let Some(item) = items.next().await {
                    item.unwrap();
                }
                drop(items);
                assert_eq!(kept.items(), expected, "keep({keep})");
                assert_eq!((kept.len(), kept.is_empty()), (expected.len(), keep == 0));
                assert_eq!(kept.take(), expected);
                assert!(kept.is_empty());
            }
            let unasked = op.stream(stream::iter(0..10));
            let kept = unasked.kept();
            assert_eq!(unasked.count().await, 10);
            assert!(kept.is_empty());
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn law_i3_what_is_kept_outlives_a_cancel() {
    let token = CancellationToken::new();
    let log = Log::default();
    let mut kept = None;
    let outcome = Cancelable::new()
        .token(&token)
        .run(async |op| {
            let mut items = op.stream(stream::iter(0..)).keep(2);
            kept = Some(items.kept());
            let _last = OnDrop(|| log.note("body gone"));
            for _ in 0..5 {
                items.next().await.unwrap().unwrap();
            }
            token.cancel();
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(log.take(), ["body gone"]);
    assert_eq!(kept.unwrap().items(), [3, 4]);
}

#[tokio::test]
async fn law_i3_reports_every_so_often() {
    async fn check(every: u64, expected: &[u64]) {
        let log = Log::default();
        let heard = log.clone();
        let plan = Cancelable::new().on_progress(move |_, report| {
            let count = report.current.expect("a count");
            assert_eq!(report.message, format!("processed {count} items"));
            heard.note(count.to_string());
        });
        let outcome = plan.run(async |op| {
            let items = op.stream(stream::iter(0..7)).report_every(every);
            assert_eq!(items.count().await, 7);
        });
        outcome.await.unwrap();
        let expected: Vec<_> = expected.iter().map(u64::to_string).collect();
        assert_eq!(log.take(), expected, "every {every}");
    }
    check(0, &[]).await;
    check(1, &[1, 2, 3, 4, 5, 6, 7]).await;
    check(3, &[3, 6]).await;
    check(7, &[7]).await;
    check(8, &[]).await;
    check(u64::MAX, &[]).await;
}

#[tokio::test]
async fn law_i3_is_told_to_whoever_asks_from_a_thread() {
    let run = Cancelable::new().run(async |op| {
        let _items = take(&op, 5).await;
        let asker = op.clone();
        spawn_blocking(move || asker.context().items).await.unwrap()
    });
    assert_eq!(run.await.unwrap(), 5);
}
