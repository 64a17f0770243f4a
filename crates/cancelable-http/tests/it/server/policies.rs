//! W3: what a client that leaves does to its operation is chosen for each route.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cancelable::{Operation, OperationContext, OperationStatus, Reason};
use cancelable_http::{CancelableLayer, Disconnect, UnwatchedUpload};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{Notify, mpsc};
use tower::{Layer, Service, service_fn};

use super::{
    Answered, BoxError, GET, Server, TellsOfDrop, Uploaded, bounded, end, heard, sent, serve,
    serve_service, stalled, streamed,
};

const DAY: Duration = Duration::from_secs(86_400);

/// What there is to see of a handler that goes on once it is told to.
struct Seen {
    go_on: Arc<Notify>,
    told: mpsc::UnboundedReceiver<&'static str>,
}

/// A handler that has to wait, and then gives a response that takes a while.
fn handler() -> (
    impl Fn(Request<Uploaded>) -> Wait + Clone + Send + Sync + 'static,
    Seen,
) {
    let (tell, told) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let seen = Seen {
        go_on: Arc::clone(&go_on),
        told,
    };
    let handler = move |_| -> Wait {
        let (tell, go_on) = (tell.clone(), Arc::clone(&go_on));
        Box::pin(async move {
            let dropped = TellsOfDrop(tell.clone(), "dropped");
            tell.send("begun").unwrap();
            go_on.notified().await;
            tell.send("responded").unwrap();
            streamed(stream::unfold((0, dropped), move |(n, dropped)| {
                let tell = tell.clone();
                async move {
                    tokio::task::yield_now().await;
                    if n == 3 {
                        tell.send("streamed").unwrap();
                        return None;
                    }
                    Some(("some".into(), (n + 1, dropped)))
                }
            }))
        })
    };
    (handler, seen)
}

type Wait = Pin<Box<dyn Future<Output = Answered> + Send>>;

impl Seen {
    async fn next(&mut self) -> &'static str {
        bounded(self.told.recv()).await.expect("the handler lives")
    }

    /// Has a client leave while the handler waits.
    async fn begin_and_leave(&mut self, server: &Server) {
        let socket = sent(server, GET).await;
        assert_eq!(self.next().await, "begun");
        drop(socket);
    }
}

/// Waits until `operation` was asked to stop.
async fn asked(operation: &Operation) -> Reason {
    bounded(operation.cancelled()).await.reason()
}

/// A service that tells when the server has let go of a request to it, or of its response.
fn watched<S, B>(
    inner: S,
) -> (
    impl Service<Request<Incoming>, Response = Answered, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static,
    mpsc::UnboundedReceiver<&'static str>,
)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    let (tell, told) = mpsc::unbounded_channel();
    let service = service_fn(move |request| {
        let gone = TellsOfDrop(tell.clone(), "gone");
        let response = inner.clone().call(request);
        async move {
            let response = response.await?;
            Ok(response.map(|body| {
                let guarded = body.map_frame(move |frame| {
                    let _gone = &gone;
                    frame
                });
                guarded.boxed_unsync()
            }))
        }
    });
    (service, told)
}

fn reason(end: &OperationContext) -> Option<Reason> {
    end.cancellation.as_ref().map(|why| why.reason())
}

#[tokio::test]
async fn law_w3_cancel_is_the_default() {
    let (handler, mut seen) = handler();
    let (layer, mut ends) = heard(CancelableLayer::new());
    let server = serve(layer, handler).await;
    seen.begin_and_leave(&server).await;
    let end = end(&mut ends).await;
    assert_eq!(
        (end.status, reason(&end)),
        (OperationStatus::Cancelled, Some(Reason::Disconnected))
    );
    assert_eq!(seen.next().await, "dropped");
}

#[tokio::test]
async fn law_w3_with_a_grace_it_may_finish_by_itself() {
    let (handler, mut seen) = handler();
    let (layer, mut ends) = heard(CancelableLayer::new().disconnect(Disconnect::Grace(DAY)));
    let (tell, mut operations) = mpsc::unbounded_channel();
    let server = serve(layer, move |request| {
        tell.send(Operation::current().unwrap()).unwrap();
        handler(request)
    })
    .await;
    seen.begin_and_leave(&server).await;
    let operation = operations.recv().await.unwrap();
    assert_eq!(asked(&operation).await, Reason::Disconnected);
    seen.go_on.notify_one();
    for what in ["responded", "streamed", "dropped"] {
        assert_eq!(seen.next().await, what);
    }
    let end = end(&mut ends).await;
    assert_eq!(
        (end.status, reason(&end)),
        (OperationStatus::Completed, Some(Reason::Disconnected))
    );
}

#[tokio::test]
async fn law_w3_a_grace_that_is_over_is_the_end() {
    let (handler, mut seen) = handler();
    let grace = Disconnect::Grace(Duration::from_millis(20));
    let (layer, mut ends) = heard(CancelableLayer::new().disconnect(grace));
    let server = serve(layer, handler).await;
    seen.begin_and_leave(&server).await;
    let end = end(&mut ends).await;
    assert_eq!(
        (end.status, reason(&end)),
        (OperationStatus::Cancelled, Some(Reason::Disconnected))
    );
    assert!(end.since_asked >= Some(Duration::from_millis(20)));
    assert_eq!(seen.next().await, "dropped");
}

#[tokio::test]
async fn law_w3_detached_and_ignored_work_goes_on_to_its_end() {
    for (disconnect, noted) in [
        (Disconnect::Detach, Some(true.into())),
        (Disconnect::Ignore, None),
    ] {
        let (handler, mut seen) = handler();
        let (layer, mut ends) = heard(CancelableLayer::new().disconnect(disconnect));
        let (service, mut went) = watched(layer.layer(service_fn(move |request| {
            let response = handler(request);
            async move { Ok::<_, Infallible>(response.await) }
        })));
        let server = serve_service(service).await;
        seen.begin_and_leave(&server).await;
        assert_eq!(bounded(went.recv()).await, Some("gone"));
        seen.go_on.notify_one();
        for what in ["responded", "streamed", "dropped"] {
            assert_eq!(seen.next().await, what);
        }
        let end = end(&mut ends).await;
        assert_eq!(
            (end.status, reason(&end)),
            (OperationStatus::Completed, None)
        );
        assert_eq!(end.metadata.get("disconnected").cloned(), noted);
    }
}

#[tokio::test]
async fn law_w3_detached_while_it_streams_the_rest_is_produced() {
    let (layer, mut ends) = heard(CancelableLayer::new().disconnect(Disconnect::Detach));
    let (tell, mut produced) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let (service, mut went) = watched(layer.layer(service_fn(move |_: Request<_>| {
        let (tell, wait) = (tell.clone(), Arc::clone(&wait));
        let items = stream::iter(0..1000).then(move |n| {
            let (tell, wait) = (tell.clone(), Arc::clone(&wait));
            async move {
                if n == 1 {
                    wait.notified().await;
                }
                tell.send(n).unwrap();
                Bytes::from_static(b"item")
            }
        });
        async { Ok::<_, Infallible>(streamed(items)) }
    })));
    let server = serve_service(service).await;
    let mut socket = sent(&server, GET).await;
    super::read_until(&mut socket, "item").await;
    drop(socket);
    assert_eq!(bounded(went.recv()).await, Some("gone"));
    go_on.notify_one();
    let end = end(&mut ends).await;
    assert_eq!(
        (end.status, reason(&end)),
        (OperationStatus::Completed, None)
    );
    let all: Vec<_> = std::iter::from_fn(|| produced.try_recv().ok()).collect();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn law_w3_detached_work_is_still_over_at_its_limit() {
    let (handler, mut seen) = handler();
    let layer = CancelableLayer::new()
        .disconnect(Disconnect::Detach)
        .timeout(Duration::from_millis(100));
    let (layer, mut ends) = heard(layer);
    let server = serve(layer, handler).await;
    seen.begin_and_leave(&server).await;
    let end = end(&mut ends).await;
    assert_eq!(
        (end.status, reason(&end)),
        (OperationStatus::Cancelled, Some(Reason::Timeout))
    );
    assert_eq!(seen.next().await, "dropped");
}

#[tokio::test]
async fn law_w3_a_layer_inside_another_says_what_holds_for_its_route() {
    for (outer, inner, ends_with) in [
        (Disconnect::Cancel, Disconnect::Detach, None),
        (
            Disconnect::Detach,
            Disconnect::Cancel,
            Some(Reason::Disconnected),
        ),
        (
            Disconnect::Grace(DAY),
            Disconnect::Cancel,
            Some(Reason::Disconnected),
        ),
        (
            Disconnect::Cancel,
            Disconnect::Grace(DAY),
            Some(Reason::Disconnected),
        ),
    ] {
        let (handler, mut seen) = handler();
        let inner_layer = CancelableLayer::new().disconnect(inner);
        let (outer_layer, mut ends) = heard(CancelableLayer::new().disconnect(outer));
        let inner_layer = inner_layer.uploads::<UnwatchedUpload>();
        let service = inner_layer.layer(service_fn(move |request| {
            let response = handler(request);
            async move { Ok::<_, Infallible>(response.await) }
        }));
        let (service, mut went) = watched(outer_layer.layer(service));
        let server = serve_service(service).await;
        seen.begin_and_leave(&server).await;
        assert_eq!(bounded(went.recv()).await, Some("gone"));
        if inner != Disconnect::Cancel {
            seen.go_on.notify_one();
            assert_eq!(seen.next().await, "responded");
            assert_eq!(seen.next().await, "streamed");
        }
        assert_eq!(seen.next().await, "dropped");
        let end = end(&mut ends).await;
        assert_eq!(reason(&end), ends_with, "{outer:?} around {inner:?}");
        let completed = end.status == OperationStatus::Completed;
        assert_eq!(completed, inner != Disconnect::Cancel);
        assert!(ends.try_recv().is_err(), "there is one operation");
    }
}

#[tokio::test]
async fn law_w3_a_limit_of_a_layer_inside_another_holds_as_well() {
    for (outer, inner) in [(20, 3_600_000), (3_600_000, 20)] {
        let limit = |millis| CancelableLayer::new().timeout(Duration::from_millis(millis));
        let (outer, mut ends) = heard(limit(outer));
        let service = limit(inner).layer(service_fn(|_: Request<_>| async {
            let left = Operation::current().unwrap().remaining().unwrap();
            assert!(left <= Duration::from_millis(20), "it is known at once");
            Ok::<_, Infallible>(std::future::pending::<Answered>().await)
        }));
        let server = serve_service(outer.layer(service)).await;
        let mut socket = sent(&server, GET).await;
        let answer = super::read_until(&mut socket, "too long").await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert_eq!(reason(&end(&mut ends).await), Some(Reason::Timeout));
    }
}

#[tokio::test]
async fn law_w3_a_limit_of_a_layer_inside_another_holds_while_the_body_streams() {
    // On a slow machine the first limits are over before there is a body.
    for limit in (4..).map(|n| Duration::from_millis(1 << n)) {
        assert!(limit < Duration::from_secs(60), "there never is a body");
        let (outer, mut ends) = heard(CancelableLayer::new());
        let inner = CancelableLayer::new().timeout(limit);
        let service = inner.layer(service_fn(async |_: Request<_>| {
            Ok::<_, Infallible>(stalled("first", ()))
        }));
        let server = serve_service(outer.layer(service)).await;
        let closing = GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        let mut socket = sent(&server, &closing).await;
        let all = super::read_to_end(&mut socket).await;
        assert_eq!(reason(&end(&mut ends).await), Some(Reason::Timeout));
        if all.contains("first") {
            assert!(!all.ends_with("0\r\n\r\n"), "{all}");
            return;
        }
        assert!(all.starts_with("HTTP/1.1 504 "), "{all}");
    }
}
