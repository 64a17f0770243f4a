//! What an operation owes where its client has left: shields, a grace, finalizers, tasks and threads are seen to all the same; and
//! no client waits for what comes after its response.

use std::convert::Infallible;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cancelable::{Operation, OperationStatus, Reason, checkpoint};
use cancelable_http::{CancelableLayer, RequestBody, Shutdown};
use http::Request;
use http_body_util::BodyExt;
use tokio::sync::{Notify, mpsc};
use tower::{Layer, ServiceExt, service_fn};

use super::{Answered, GET, TellsOfDrop, bounded, end, heard, sent, serve, stalled, text};

type Told = mpsc::UnboundedSender<&'static str>;

/// What was told, up to the end of the operation of a client that left as soon as its handler had begun.
async fn after_a_client_left<F>(
    layer: CancelableLayer,
    handler: impl Fn(Operation, Told) -> F + Clone + Send + Sync + 'static,
) -> (Vec<&'static str>, OperationStatus, Option<Reason>)
where
    F: Future<Output = Answered> + Send + 'static,
{
    let (layer, mut ends) = heard(layer);
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = serve(layer, move |_| {
        handler(Operation::current().unwrap(), tell.clone())
    })
    .await;
    let socket = sent(&server, GET).await;
    assert_eq!(bounded(told.recv()).await, Some("begun"));
    drop(socket);
    let end = end(&mut ends).await;
    let told = std::iter::from_fn(|| told.try_recv().ok()).collect();
    (told, end.status, end.cancellation.map(|why| why.reason()))
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

const CANCELLED: (OperationStatus, Option<Reason>) =
    (OperationStatus::Cancelled, Some(Reason::Disconnected));

#[tokio::test]
async fn law_o5_a_shield_outlives_the_client() {
    let (told, status, reason) =
        after_a_client_left(CancelableLayer::new(), |op, tell| async move {
            let _dropped = TellsOfDrop(tell.clone(), "dropped");
            let asked = op.clone();
            op.shield(async {
                tell.send("begun").unwrap();
                asked.cancelled().await;
                // Some more polls, by whoever drives it now.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                tell.send("paid").unwrap();
            })
            .await;
            pending().await
        })
        .await;
    assert_eq!(told, ["paid", "dropped"]);
    assert_eq!((status, reason), CANCELLED);
}

#[tokio::test]
async fn law_o7_finalizers_run_though_the_client_has_left() {
    let (told, status, reason) =
        after_a_client_left(CancelableLayer::new(), |op, tell| async move {
            let finalizer = tell.clone();
            op.finalizer(None, async move |op: Operation| {
                tokio::task::yield_now().await;
                assert_eq!(op.status(), OperationStatus::Cancelling);
                finalizer
                    .send("cleaned up")
                    .map_err(drop)
                    .map_err(|()| "nobody listens")
            });
            let _dropped = TellsOfDrop(tell.clone(), "dropped");
            tell.send("begun").unwrap();
            pending().await
        })
        .await;
    assert_eq!(told, ["dropped", "cleaned up"]);
    assert_eq!((status, reason), CANCELLED);
}

#[tokio::test]
async fn law_o3_tasks_and_threads_are_told_and_awaited_where_the_client_has_left() {
    let (mut told, status, reason) =
        after_a_client_left(CancelableLayer::new(), |op, tell| async move {
            let (thread, task) = (tell.clone(), tell.clone());
            let (begin, begun) = tokio::sync::oneshot::channel();
            drop(op.spawn_blocking(move || {
                begin.send(()).unwrap();
                while checkpoint().is_ok() {}
                thread.send("thread ended").unwrap();
            }));
            drop(op.spawn(async move {
                let _dropped = TellsOfDrop(task, "task dropped");
                pending::<()>().await
            }));
            begun.await.unwrap();
            tell.send("begun").unwrap();
            pending().await
        })
        .await;
    told.sort_unstable();
    assert_eq!(told, ["task dropped", "thread ended"]);
    assert_eq!((status, reason), CANCELLED);
}

#[tokio::test]
async fn law_o6_the_grace_of_a_plan_holds_where_the_client_has_left() {
    let layer = CancelableLayer::new().plan(|plan, _| plan.grace(Duration::from_secs(3600)));
    let (told, status, reason) = after_a_client_left(layer, |op, tell| async move {
        tell.send("begun").unwrap();
        op.cancelled().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        tell.send("finished").unwrap();
        text("for nobody")
    })
    .await;
    assert_eq!(told, ["finished"]);
    assert_eq!(
        (status, reason),
        (OperationStatus::Completed, Some(Reason::Disconnected))
    );
}

#[tokio::test]
async fn what_owes_nothing_is_over_as_the_server_lets_go() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut service = layer.layer(service_fn(move |request: Request<RequestBody<bool>>| {
        let dropped = TellsOfDrop(tell.clone(), "dropped");
        async move {
            if *request.body().get_ref() {
                return Ok::<_, Infallible>(stalled("first", dropped));
            }
            pending().await
        }
    }));
    // Before the head.
    let mut response = Box::pin(
        service
            .ready()
            .await
            .unwrap()
            .clone()
            .oneshot(Request::new(false)),
    );
    assert!(poll_once(response.as_mut()).is_pending());
    drop(response);
    assert_eq!(told.try_recv(), Ok("dropped"));
    let end = ends.try_recv().unwrap();
    assert_eq!(
        (end.status, end.cancellation.map(|why| why.reason())),
        CANCELLED
    );
    // While it streams.
    let response = service.clone().oneshot(Request::new(true)).await.unwrap();
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(poll_once(pin!(body.frame())).is_pending());
    drop(body);
    assert_eq!(told.try_recv(), Ok("dropped"));
    let end = ends.try_recv().unwrap();
    assert_eq!(
        (end.status, end.cancellation.map(|why| why.reason())),
        CANCELLED
    );
    // What was never polled never was.
    drop(tower::Service::call(&mut service, Request::new(false)));
    assert!(ends.try_recv().is_err());
}

#[tokio::test]
async fn nobody_waits_for_tasks_and_finalizers_that_come_after_the_response() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let service = layer.layer(service_fn(move |request: Request<RequestBody<bool>>| {
        let (task, finalizer) = (Arc::clone(&wait), Arc::clone(&wait));
        let op = Operation::current().unwrap();
        drop(op.spawn(async move { task.notified().await }));
        op.finalizer(None, async move |_| finalizer.notified().await);
        async move {
            if *request.body().get_ref() {
                return Ok::<_, Infallible>(super::streamed(futures_util::stream::iter(
                    ["wh", "ole"].map(Into::into),
                )));
            }
            Ok(text("whole"))
        }
    }));
    for streams in [false, true] {
        let response = bounded(service.clone().oneshot(Request::new(streams)))
            .await
            .unwrap();
        let whole = bounded(response.into_body().collect()).await.unwrap();
        assert_eq!(whole.to_bytes(), "whole");
        assert!(ends.try_recv().is_err(), "it is not over");
        go_on.notify_one();
        tokio::task::yield_now().await;
        go_on.notify_one();
        let end = end(&mut ends).await;
        assert_eq!(
            (end.status, end.cancellation),
            (OperationStatus::Completed, None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_finalizers_to_hear_that_it_took_too_long() {
    let start = tokio::time::Instant::now();
    let (layer, mut ends) = heard(CancelableLayer::new().timeout(Duration::from_secs(1)));
    let service = layer.layer(service_fn(move |request: Request<RequestBody<bool>>| {
        let op = Operation::current().unwrap();
        op.finalizer(None, async |_| {
            tokio::time::sleep(Duration::from_secs(9)).await
        });
        async move {
            if *request.body().get_ref() {
                return Ok::<_, Infallible>(stalled("first", ()));
            }
            pending().await
        }
    }));
    let response = service.clone().oneshot(Request::new(false)).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), start.elapsed()),
        (504, Duration::from_secs(1))
    );
    assert_eq!(ends.recv().await.unwrap().duration, Duration::from_secs(10));

    let start = tokio::time::Instant::now();
    let response = service.oneshot(Request::new(true)).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert_eq!(ends.recv().await.unwrap().duration, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_grace_may_still_give_a_response() {
    let layer = CancelableLayer::new()
        .timeout(Duration::from_secs(1))
        .plan(|plan, _| plan.grace(Duration::from_secs(5)));
    let service = layer.layer(service_fn(|_: Request<_>| async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok::<_, Infallible>(text("just so"))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "just so"
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_is_answered_before_its_finalizers() {
    let shutdown = Shutdown::new();
    shutdown.begin();
    let out_of_time = CancelableLayer::new().timeout(Duration::ZERO);
    let shutting_down = CancelableLayer::new().shutdown(&shutdown);
    for (layer, status, reason) in [
        (out_of_time, 504, Reason::Timeout),
        (shutting_down, 503, Reason::Shutdown),
    ] {
        let answered = Arc::new(Notify::new());
        let waits = Arc::clone(&answered);
        let layer = layer.plan(move |plan, _| {
            let waits = Arc::clone(&waits);
            plan.finalizer(None, async move |_| {
                waits.notified().await;
                Ok::<_, &str>(())
            })
        });
        let (layer, mut ends) = heard(layer);
        let service = layer.layer(service_fn(|_: Request<_>| async {
            Ok::<_, Infallible>(text("it is not called"))
        }));
        let response = bounded(service.oneshot(Request::new(()))).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(ends.try_recv().is_err(), "it owes something");
        answered.notify_one();
        let end = end(&mut ends).await;
        assert_eq!(end.status, OperationStatus::Cancelled);
        assert_eq!(end.cancellation.unwrap().reason(), reason);
    }
}
