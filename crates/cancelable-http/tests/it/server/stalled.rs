//! Clients that stay, and do not read: their operations end in time all the same, and what they read on is whole.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use cancelable::{Cancellation, Operation, OperationContext, OperationStatus, Reason};
use cancelable_http::{CancelableLayer, ResponseBody};
use futures_util::{StreamExt, stream};
use http::Request;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};

use super::{
    BoxError, Ends, GET, TellsOfDrop, end, heard, read_until, sent, serve, stalled, streamed,
};

type Body = ResponseBody<UnsyncBoxBody<Bytes, BoxError>>;

/// Frames without an end, each of which is ready.
fn endless(held: impl Send + 'static) -> super::Answered {
    let item = Bytes::from(vec![7; 100_000]);
    streamed(stream::repeat_with(move || {
        let _held = &held;
        item.clone()
    }))
}

/// A response whose first frame was taken, with its operation and word of what was dropped.
async fn begun(layer: CancelableLayer) -> (Body, Operation, mpsc::UnboundedReceiver<&'static str>) {
    let (tell, told) = mpsc::unbounded_channel();
    let service = layer.layer(service_fn(move |_: Request<_>| {
        let response = endless(TellsOfDrop(tell.clone(), "dropped"));
        let op = Operation::current().unwrap();
        async move {
            let mut response = response;
            response.extensions_mut().insert(op);
            Ok::<_, Infallible>(response)
        }
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let operation = response.extensions().get::<Operation>().unwrap().clone();
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    (body, operation, told)
}

fn ended(end: &OperationContext) -> (OperationStatus, Reason) {
    (end.status, end.cancellation.as_ref().unwrap().reason())
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn law_o1_a_cancel_ends_it_though_nobody_reads() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let (mut body, operation, mut told) = begun(layer).await;
    operation.cancel_with("by hand");
    assert_eq!(
        ended(&end(&mut ends).await),
        (OperationStatus::Cancelled, Reason::Manual)
    );
    assert_eq!(told.try_recv(), Ok("dropped"));
    // Who reads on is told.
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(
        error.downcast::<Cancellation>().unwrap().message(),
        "by hand"
    );
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn law_o1_a_limit_ends_it_though_nobody_reads() {
    let (layer, mut ends) = heard(CancelableLayer::new().timeout(Duration::from_secs(5)));
    let start = tokio::time::Instant::now();
    let (body, _operation, mut told) = begun(layer).await;
    assert_eq!(
        ended(&end(&mut ends).await),
        (OperationStatus::Cancelled, Reason::Timeout)
    );
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert_eq!(told.try_recv(), Ok("dropped"));
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cancelled_before_its_body_is_looked_at_ends_too() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let service = layer.layer(service_fn(|_: Request<_>| {
        let op = Operation::current().unwrap();
        async move {
            op.grace_on(Reason::Manual, Duration::from_secs(3));
            op.cancel();
            Ok::<_, Infallible>(endless(()))
        }
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        ended(&end(&mut ends).await),
        (OperationStatus::Cancelled, Reason::Manual)
    );
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn law_o6_in_the_grace_who_reads_on_has_all_of_it() {
    let layer = CancelableLayer::new().plan(|plan, _| plan.grace(Duration::from_secs(60)));
    let (layer, mut ends) = heard(layer);
    let service = layer.layer(service_fn(|_: Request<_>| {
        let op = Operation::current().unwrap();
        async move {
            let items = stream::iter(0..50).then(async |n: u32| {
                tokio::time::sleep(Duration::from_millis(n.into())).await;
                Bytes::from(format!("{n} "))
            });
            let mut response = streamed(items);
            response.extensions_mut().insert(op);
            Ok::<_, Infallible>(response)
        }
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    response.extensions().get::<Operation>().unwrap().cancel();
    let mut body = response.into_body();
    let mut all = String::new();
    while let Some(frame) = body.frame().await {
        all += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        // The other one has turns as well.
        tokio::task::yield_now().await;
    }
    assert_eq!(all, (0..50).map(|n| format!("{n} ")).collect::<String>());
    assert_eq!(
        ended(&end(&mut ends).await),
        (OperationStatus::Completed, Reason::Manual)
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_meanwhile_changes_nothing() {
    let layer = CancelableLayer::new().plan(|plan, _| plan.grace(Duration::from_secs(60)));
    let (layer, mut ends) = heard(layer);
    let service = layer.layer(service_fn(|_: Request<_>| {
        let mut response = stalled("first", ());
        let op = Operation::current().unwrap();
        response.extensions_mut().insert(op);
        async { Ok::<_, Infallible>(response) }
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let operation = response.extensions().get::<Operation>().unwrap().clone();
    let body = response.into_body();
    let start = tokio::time::Instant::now();
    operation.cancel();
    tokio::task::yield_now().await;
    drop(body);
    assert_eq!(
        ended(&ends.recv().await.unwrap()),
        (OperationStatus::Cancelled, Reason::Manual)
    );
    assert_eq!(start.elapsed(), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_panic_where_nobody_reads_is_an_error_of_the_body() {
    let (layer, mut ends) = heard(CancelableLayer::new().plan(|plan, _| plan.grace(Duration::MAX)));
    let service = layer.layer(service_fn(|_: Request<_>| {
        let op = Operation::current().unwrap();
        async move {
            let asked = op.clone();
            let broken = stream::once(async move {
                asked.cancelled().await;
                panic!("nobody reads")
            });
            let mut response = streamed(broken);
            response.extensions_mut().insert(op);
            Ok::<_, Infallible>(response)
        }
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let operation = response.extensions().get::<Operation>().unwrap().clone();
    let mut body = response.into_body();
    assert!(poll_once(pin!(body.frame())).is_pending());
    operation.cancel();
    assert_eq!(end(&mut ends).await.status, OperationStatus::Failed);
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the body of the response has panicked");
}

#[tokio::test]
async fn law_o1_a_socket_that_is_not_read_holds_up_no_end() {
    let layer = CancelableLayer::new().timeout(Duration::from_millis(300));
    let (layer, mut ends): (_, Ends) = heard(layer);
    let server = serve(layer, |_| async { endless(()) }).await;
    let mut socket = sent(&server, GET).await;
    read_until(&mut socket, "HTTP/1.1 ").await;
    assert_eq!(
        ended(&end(&mut ends).await),
        (OperationStatus::Cancelled, Reason::Timeout)
    );
    drop(socket);

    let two = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = format!("http://{}/", server.address);
    let response = super::bounded(two.get(url).send()).await.unwrap();
    assert_eq!(
        ended(&end(&mut ends).await),
        (OperationStatus::Cancelled, Reason::Timeout)
    );
    drop(response);
}
