//! The layer as a service among services: what it hands through, what is found in a handler, and what it asks of what is inside.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use cancelable::{Filter, Operation, OperationStatus, Registry};
use cancelable_http::{CancelableLayer, RequestBody, RequestHead};
use futures_util::{FutureExt, StreamExt, stream};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::{BoxError, heard, stalled, streamed, text};

#[tokio::test]
async fn the_operation_is_found_in_the_handler_and_while_its_response_streams() {
    let layer = CancelableLayer::new().name(|head: &RequestHead<'_>| head.method().to_string());
    let service = layer.layer(service_fn(|request: Request<RequestBody<()>>| {
        let beside = request.extensions().get::<Operation>().unwrap().clone();
        let here = || Operation::current().unwrap().id().to_owned();
        assert_eq!(beside.id(), here(), "as the service is called");
        async move {
            assert_eq!(beside.id(), here());
            let ids = stream::repeat_with(move || Bytes::from(here())).take(2);
            let mut response = streamed(ids);
            response.extensions_mut().insert(beside);
            Ok::<_, Infallible>(response)
        }
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert!(Operation::current().is_none());
    let operation = response.extensions().get::<Operation>().unwrap().clone();
    assert_eq!(operation.name(), Some("GET"));
    assert_eq!(operation.status(), OperationStatus::Running);
    let ids = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(ids, operation.id().repeat(2));
    assert_eq!(operation.status(), OperationStatus::Completed);
}

#[tokio::test]
async fn what_is_known_of_an_operation_is_what_was_said() {
    let registry = Registry::new();
    let layer = CancelableLayer::new().registered_in(&registry);
    let request = |path: &str| {
        let request = Request::builder().method(Method::PUT).uri(path);
        request.body(()).unwrap()
    };
    let service = service_fn(|_: Request<_>| async { Ok::<_, Infallible>(text("")) });
    let call = async |layer: CancelableLayer, path: &str| {
        layer.layer(service).oneshot(request(path)).await.unwrap();
        registry.history(&Filter::new()).remove(0)
    };
    let end = call(layer.clone(), "/users/7?secret=5").await;
    assert_eq!(end.name.as_deref(), Some("PUT /users/7"));
    assert_eq!(end.metadata["method"], "PUT");
    assert_eq!(end.metadata["path"], "/users/7");
    // Who is listed is described, and nobody else; but what was said of all counts before that.
    let listed = |layer: CancelableLayer| layer.listed_metadata(|_| [("listed", true)]);
    let end = call(listed(layer.clone()), "/users/7").await;
    assert_eq!(end.metadata.len(), 1);
    assert_eq!(end.metadata["listed"], true);
    let (unlisted, mut ends) = heard(listed(CancelableLayer::new()));
    let unlisted = unlisted.layer(service).oneshot(request("/users/7"));
    unlisted.await.unwrap();
    assert!(ends.recv().await.unwrap().metadata.is_empty());
    let layer = listed(layer)
        .name(|head| format!("{}!", head.uri().path()))
        .metadata(|head| [("version", format!("{:?}", head.version()))])
        .plan(|plan, _| plan.metadata("first", 1).metadata("both", 1))
        .plan(|plan, _| plan.metadata("both", 2));
    let end = call(layer, "/users/7").await;
    assert_eq!(end.name.as_deref(), Some("/users/7!"));
    let metadata = serde_json::Value::Object(end.metadata);
    assert_eq!(
        metadata,
        serde_json::json!({"version": "HTTP/1.1", "first": 1, "both": 2})
    );
}

#[tokio::test]
async fn errors_of_the_service_are_its_own() {
    #[derive(Debug, PartialEq)]
    struct Own(u8);
    let (layer, mut ends) = heard(CancelableLayer::new());
    let service = layer.layer(service_fn(|_: Request<_>| async {
        Err::<Response<Full<Bytes>>, _>(Own(7))
    }));
    assert_eq!(service.oneshot(Request::new(())).await.unwrap_err(), Own(7));
    let end = ends.recv().await.unwrap();
    assert_eq!(
        (end.status, end.error.as_deref()),
        (OperationStatus::Failed, Some("the service failed"))
    );
}

#[tokio::test]
async fn errors_of_a_body_are_its_own() {
    for known in [true, false] {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let service = layer.layer(service_fn(move |_: Request<_>| async move {
            let broken = stream::iter([Err::<Frame<Bytes>, BoxError>("out of paper".into())]);
            Ok::<_, Infallible>(Response::new(Hinted(StreamBody::new(broken), known)))
        }));
        let response = service.oneshot(Request::new(())).await.unwrap();
        let error = response.into_body().collect().await.unwrap_err();
        assert_eq!(error.to_string(), "out of paper");
        let end = ends.recv().await.unwrap();
        assert_eq!(
            (end.status, end.error.as_deref()),
            (OperationStatus::Failed, Some("out of paper"))
        );
    }
}

/// A body that says how long it is, or does not.
struct Hinted<B>(B, bool);

impl<B: Body + Unpin> Body for Hinted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        match self.1 {
            true => SizeHint::with_exact(10),
            false => SizeHint::new(),
        }
    }
}

#[tokio::test]
async fn a_body_is_handed_through_with_all_that_is_known_of_it() {
    // Frames of data, trailers, and how much is to be expected before each.
    async fn told<B>(mut body: B) -> Vec<(u64, Option<u64>, bool, String)>
    where
        B: Body<Data = Bytes, Error: std::fmt::Debug> + Unpin,
    {
        let mut told = Vec::new();
        loop {
            let (hint, is_end) = (body.size_hint(), body.is_end_stream());
            let frame = body.frame().await;
            let said = frame
                .as_ref()
                .map(|frame| format!("{:?}", frame.as_ref().unwrap()));
            told.push((hint.lower(), hint.upper(), is_end, said.unwrap_or_default()));
            if frame.is_none() {
                return told;
            }
        }
    }
    let trailers = || Frame::trailers(HeaderMap::new());
    let with_trailers = move |known| {
        let frames =
            ["first", "other"].map(|data| Frame::data(Bytes::from_static(data.as_bytes())));
        let frames = frames
            .into_iter()
            .chain([trailers()])
            .map(Ok::<_, BoxError>);
        Hinted(StreamBody::new(stream::iter(frames)), known).boxed_unsync()
    };
    let bodies: [&dyn Fn() -> super::Answered; 6] = [
        &|| text("whole"),
        &|| text(""),
        &|| Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync()),
        &|| streamed(stream::iter(["a", "b"].map(Into::into))),
        &|| Response::new(with_trailers(false)),
        &|| Response::new(with_trailers(true)),
    ];
    for make in bodies {
        let bare = told(make().into_body()).await;
        let handed = Arc::new(Mutex::new(Some(make())));
        let service = CancelableLayer::new().layer(service_fn(move |_: Request<_>| {
            let response = handed.lock().unwrap().take().unwrap();
            async move { Ok::<_, Infallible>(response) }
        }));
        let response = service.oneshot(Request::new(())).await.unwrap();
        let through = told(response.into_body()).await;
        let said = |told: &[(u64, Option<u64>, bool, String)]| -> Vec<_> {
            told.iter().map(|told| told.3.clone()).collect()
        };
        assert_eq!(said(&bare), said(&through));
        assert_eq!(
            (bare[0].0, bare[0].1),
            (through[0].0, through[0].1),
            "{bare:?}"
        );
        assert_eq!(bare[0].2, through[0].2);
    }
}

#[tokio::test]
async fn what_is_called_was_found_ready() {
    /// A service that counts how often it was found ready and called, each of its clones by itself.
    struct Picky(Arc<AtomicUsize>, AtomicBool);

    impl Clone for Picky {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0), AtomicBool::new(false))
        }
    }

    impl<Q> Service<Request<Q>> for Picky {
        type Response = super::Answered;
        type Error = Infallible;
        type Future = std::future::Ready<Result<super::Answered, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.1.store(true, Ordering::SeqCst);
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Q>) -> Self::Future {
            assert!(self.1.swap(false, Ordering::SeqCst), "called unready");
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(text("")))
        }
    }

    let calls = Arc::new(AtomicUsize::new(0));
    let picky = Picky(Arc::clone(&calls), AtomicBool::new(false));
    let mut service = CancelableLayer::new().layer(picky);
    for n in 1..4 {
        let response = ServiceExt::<Request<()>>::ready(&mut service)
            .await
            .unwrap();
        let response = response.call(Request::new(()));
        assert!(response.await.is_ok());
        assert_eq!(calls.load(Ordering::SeqCst), n);
    }
}

#[tokio::test]
async fn law_o4_a_panic_in_the_handler_goes_on() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let service = layer.layer(service_fn(
        |request: Request<RequestBody<&'static str>>| async move {
            let op = Operation::current().unwrap();
            op.finalizer(None, async |_| tokio::task::yield_now().await);
            match *request.body().get_ref() {
                "handler" => panic!("in the handler"),
                _ => Ok::<_, Infallible>(streamed(stream::repeat_with(|| panic!("in the body")))),
            }
        },
    ));
    let response = service.clone().oneshot(Request::new("handler"));
    let panic = AssertUnwindSafe(response).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the handler"));
    let end = ends.recv().await.unwrap();
    assert_eq!(
        (end.status, end.error.as_deref()),
        (OperationStatus::Failed, Some("panicked: in the handler"))
    );

    let response = service.oneshot(Request::new("body")).await.unwrap();
    let body = response.into_body().collect();
    let panic = AssertUnwindSafe(body).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"in the body"));
    let end = ends.recv().await.unwrap();
    assert_eq!(
        (end.status, end.error.as_deref()),
        (OperationStatus::Failed, Some("panicked: in the body"))
    );
}

#[test]
fn without_a_runtime_a_client_that_leaves_ends_its_operation() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let service = layer.layer(service_fn(|_: Request<_>| async {
        Ok::<_, Infallible>(stalled("first", ()))
    }));
    let response = service
        .oneshot(Request::new(()))
        .now_or_never()
        .unwrap()
        .unwrap();
    let mut body = response.into_body();
    assert!(body.frame().now_or_never().unwrap().unwrap().is_ok());
    drop(body);
    let end = ends.try_recv().unwrap();
    assert_eq!(end.status, OperationStatus::Cancelled);
    assert_eq!(
        end.cancellation.unwrap().reason(),
        cancelable::Reason::Disconnected
    );
}
