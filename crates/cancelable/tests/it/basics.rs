//! Each law in its plainest case.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cancelable::{Cancelable, CancellationToken, Operation, OperationStatus, Origin, Reason};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn law_o1_a_timeout_ends_cancelled() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(Duration::from_secs(2))
        .on_cancel(move |context| log.lock().unwrap().push(context.status))
        .run(async move |op| {
            *keep.lock().unwrap() = Some(op.clone());
            sleep(Duration::from_secs(5)).await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(*seen.lock().unwrap(), [OperationStatus::Cancelled]);
    let op = kept.lock().unwrap().take().unwrap();
    let context = op.context();
    assert_eq!(context.status, OperationStatus::Cancelled);
    assert_eq!(context.duration, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn law_o8_an_outer_cancel_ends_the_inner_as_parent() {
    let inner = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&inner);
    let outcome = Cancelable::new()
        .id("outer")
        .timeout(Duration::from_secs(1))
        .run(async move |_| {
            Cancelable::new()
                .on_cancel(move |context| *seen.lock().unwrap() = context.cancellation.clone())
                .run(async |_| sleep(Duration::from_secs(9)).await)
                .await
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    let why = inner.lock().unwrap().take().unwrap();
    assert_eq!(why.reason(), Reason::Parent);
    assert!(matches!(why.origin(), Origin::Parent { id: Some(id), .. } if id == "outer"));
    assert_eq!(why.root_cause().reason(), Reason::Timeout);
}

#[tokio::test]
async fn law_o9_current_is_the_innermost() {
    assert!(Operation::current().is_none());
    Cancelable::new()
        .name("outer")
        .run(async |_| {
            Cancelable::new()
                .name("inner")
                .run(async |_| assert_eq!(Operation::current().unwrap().name(), Some("inner")))
                .await
                .unwrap();
            tokio::task::yield_now().await;
            assert_eq!(Operation::current().unwrap().name(), Some("outer"));
        })
        .await
        .unwrap();
    assert!(Operation::current().is_none());
}

#[tokio::test]
async fn law_i2_nothing_is_taken_after_a_cancel() {
    let token = CancellationToken::new();
    Cancelable::new()
        .token(&token)
        .run(async |op| {
            let mut items = op.stream(stream::iter(1..)).keep(2).chunks(3);
            assert_eq!(items.next().await.unwrap().unwrap(), [1, 2, 3]);
            token.cancel_with("enough");
            assert_eq!(items.next().await.unwrap().unwrap_err().message(), "enough");
            assert!(items.next().await.is_none());
            assert_eq!(items.kept().items(), [2, 3]);
            assert_eq!(op.context().items, 3);
        })
        .await
        .unwrap();
}
