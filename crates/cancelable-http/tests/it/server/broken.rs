//! Responses that are not what they say: a client never takes a part of one for the whole, and sees what it saw without the layer.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use cancelable::{Operation, OperationStatus};
use cancelable_http::{CancelableLayer, DeadlineHeaders, UnwatchedUpload};
use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tower::{Layer, ServiceExt, service_fn};

use super::{
    Answered, BoxError, Server, bounded, end, heard, read_to_end, sent, serve, serve_service,
    streamed,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";

/// A body that says whatever it likes of what it has.
#[derive(Clone)]
struct Said {
    frames: &'static [&'static str],
    length: Option<u64>,
    tells_its_end: bool,
    fails: bool,
}

impl Body for Said {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some((first, rest)) = self.frames.split_first() else {
            return Poll::Ready(self.fails.then(|| Err("out of paper".into())));
        };
        self.frames = rest;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(first.as_bytes())))))
    }

    fn is_end_stream(&self) -> bool {
        self.tells_its_end && self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

#[tokio::test]
async fn an_error_is_not_lost_to_tasks_that_go_on_after_it() {
    // With a length the body fails together with the head, without one later.
    let bodies = [
        (&[][..], Some(5)),
        (&["part"][..], None),
        (&["part"][..], Some(5)),
    ];
    for (frames, length) in bodies {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let go_on = Arc::new(Notify::new());
        let wait = Arc::clone(&go_on);
        let service = layer.layer(service_fn(move |_: Request<_>| {
            let wait = Arc::clone(&wait);
            drop(
                Operation::current()
                    .unwrap()
                    .spawn(async move { wait.notified().await }),
            );
            let body = Said {
                frames,
                length,
                tells_its_end: false,
                fails: true,
            };
            async { Ok::<_, Infallible>(Response::new(body)) }
        }));
        let response = service.oneshot(Request::new(())).await.unwrap();
        let error = bounded(response.into_body().collect()).await.unwrap_err();
        assert_eq!(error.to_string(), "out of paper");
        assert!(ends.try_recv().is_err(), "its task goes on");
        go_on.notify_one();
        let end = end(&mut ends).await;
        assert_eq!(
            (end.status, end.error.as_deref()),
            (OperationStatus::Failed, Some("out of paper"))
        );
    }
}

/// Where nobody counts the bytes, the end of the connection is that of the body; hyper looks for it once more than it was woken.
#[tokio::test]
async fn a_body_that_yields_just_before_its_end_leaves_no_connection_open() {
    for (first, last) in [("", ""), ("part", ""), ("part", "more")] {
        let layer = CancelableLayer::new();
        let server = serve(layer, move |_| async move {
            let last = stream::once(async move {
                tokio::task::yield_now().await;
                Bytes::from(last)
            });
            streamed(stream::iter([Bytes::from(first)]).chain(last))
        })
        .await;
        let request = GET.replace("HTTP/1.1", "HTTP/1.0");
        let raw = read_to_end(&mut sent(&server, &request).await).await;
        assert!(raw.ends_with(&format!("\r\n\r\n{first}{last}")), "{raw}");
    }
}

#[tokio::test]
async fn an_error_that_panics_as_it_is_shown_is_handed_on() {
    #[derive(Debug)]
    struct Unspeakable;
    impl std::fmt::Display for Unspeakable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("not to be shown")
        }
    }
    impl std::error::Error for Unspeakable {}

    let service = CancelableLayer::new().layer(service_fn(async |_: Request<_>| {
        let broken = stream::iter([Err::<Frame<Bytes>, _>(Unspeakable)]);
        Ok::<_, Infallible>(Response::new(StreamBody::new(broken)))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.is::<Unspeakable>());
}

#[tokio::test]
async fn after_a_panic_there_is_no_end_as_of_a_whole_body() {
    let service = CancelableLayer::new().layer(service_fn(async |_: Request<_>| {
        let frames = stream::iter([true, false]).map(|is_fine| {
            assert!(is_fine, "no more paper");
            Ok::<_, BoxError>(Frame::data(Bytes::from("part")))
        });
        Ok::<_, Infallible>(Response::new(StreamBody::new(frames)))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    let mut body = response.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(AssertUnwindSafe(body.frame()).catch_unwind().await.is_err());
    let error = body.frame().await.expect("it is not whole").unwrap_err();
    assert_eq!(error.to_string(), "the body of the response has panicked");
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn after_a_head_request_no_version_is_sent_a_body() {
    let layer = CancelableLayer::new().deadline_headers(DeadlineHeaders::own());
    let service = layer.layer(service_fn(async |_: Request<_>| {
        Ok::<_, Infallible>(super::text("12345"))
    }));
    let server = serve_service(service).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build();
    let client = client.unwrap();
    // What the service answers, and what the layer does.
    for (limit, status, length) in [("60000", 200, "5"), ("0", 504, "26")] {
        let head = client.head(format!("http://{}/", server.address));
        let head = head.header("x-cancelable-timeout-ms", limit).send();
        let response = bounded(head).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-length"], length);
        assert_eq!(bounded(response.bytes()).await.unwrap(), "");

        let request = GET.replace("GET", "HEAD").replace(
            "connection: close",
            &format!("connection: close\r\nx-cancelable-timeout-ms: {limit}"),
        );
        let raw = read_to_end(&mut sent(&server, &request).await).await;
        assert!(
            raw.contains(&format!("content-length: {length}\r\n")),
            "{raw}"
        );
        assert!(raw.ends_with("\r\n\r\n"), "{raw}");
    }
}

/// What a client of HTTP/1.1 reads but for the date, and what one of HTTP/2 takes for the whole body.
async fn seen(server: &Server) -> (String, Option<Bytes>) {
    let raw = read_to_end(&mut sent(server, GET).await).await;
    let lines = raw.split("\r\n").filter(|line| !line.starts_with("date: "));
    let raw = lines.collect::<Vec<_>>().join("\n");
    let client = reqwest::Client::builder().http2_prior_knowledge().build();
    let sending = client
        .unwrap()
        .get(format!("http://{}/", server.address))
        .send();
    let whole = match bounded(sending).await {
        Ok(response) => bounded(response.bytes()).await.ok(),
        Err(_) => None,
    };
    (raw, whole)
}

#[tokio::test]
async fn what_is_not_true_of_a_body_is_found_out_as_without_the_layer() {
    let said = |frames, length, tells_its_end| Said {
        frames,
        length,
        tells_its_end,
        fails: false,
    };
    let bodies = [
        said(&["12345"], Some(10), true),
        said(&["12345"], Some(10), false),
        said(&["1", "2"], Some(10), true),
        said(&["1234567890"], Some(5), true),
        said(&["1", "2"], Some(0), true),
        said(&[], Some(10), false),
        said(&[], Some(10), true),
        said(&["", "1", ""], None, true),
        said(&["12345"], Some(5), false),
    ];
    let statuses = [
        StatusCode::OK,
        StatusCode::NO_CONTENT,
        StatusCode::NOT_MODIFIED,
    ];
    for body in bodies {
        for status in statuses {
            let respond = {
                let body = body.clone();
                move |_| {
                    let mut response: Answered = Response::new(body.clone().boxed_unsync());
                    *response.status_mut() = status;
                    async { Ok::<_, Infallible>(response) }
                }
            };
            let layer = CancelableLayer::new().uploads::<UnwatchedUpload>();
            let with = seen(&serve_service(layer.layer(service_fn(respond.clone()))).await).await;
            let without = seen(&serve_service(service_fn(respond)).await).await;
            let case = format!("{status}: {:?}, said {:?}", body.frames, body.length);
            assert_eq!(with.0, without.0, "{case}");
            // What may have no body is not sent one, whatever the version.
            match status {
                StatusCode::OK => assert_eq!(with.1, without.1, "{case}"),
                _ => assert!(with.1.is_some_and(|body| body.is_empty()), "{case}"),
            }
        }
    }
}
