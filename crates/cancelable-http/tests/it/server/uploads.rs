//! W2 and W3 in the middle of an upload: a client that leaves then is told of by the body of its request, and to nobody else.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cancelable::{OperationContext, OperationStatus, Reason};
use cancelable_http::{CancelableLayer, Disconnect, RequestBody};
use futures_util::{StreamExt, stream};
use http::header::CONTENT_LENGTH;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Body, Frame};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tower::{Layer, ServiceExt, service_fn};

use super::{
    Answered, BoxError, Server, Uploaded, bounded, end, heard, read_to_end, sent, serve, stalled,
    text,
};

/// What a handler tells of its upload, in order.
type Tell = mpsc::UnboundedSender<String>;

/// Reads it all, and tells of the first frame, and of the end or the error.
async fn read(mut body: Uploaded, tell: Tell) -> Result<(), BoxError> {
    while let Some(frame) = body.frame().await {
        let told = match &frame {
            Ok(frame) => format!("{:?}", frame.data_ref()),
            Err(error) => error.to_string(),
        };
        tell.send(told).unwrap();
        frame?;
    }
    Ok(())
}

/// Reads it all, and says at once what became of it.
async fn judge(request: Request<Uploaded>, tell: Tell) -> Answered {
    let mut response = text("fine");
    if read(request.into_body(), tell).await.is_err() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

/// A request of which a part has been read.
async fn begin(server: &Server, fields: &str, part: &str, told: &mut Told) -> TcpStream {
    let head = format!("POST / HTTP/1.1\r\nhost: here\r\n{fields}\r\n\r\n{part}");
    let socket = sent(server, &head).await;
    assert_eq!(told.next().await, "Some(b\"some\")");
    socket
}

struct Told(mpsc::UnboundedReceiver<String>);

impl Told {
    fn new() -> (Tell, Self) {
        let (tell, told) = mpsc::unbounded_channel();
        (tell, Self(told))
    }

    async fn next(&mut self) -> String {
        bounded(self.0.recv()).await.expect("the handler lives")
    }
}

fn ended(end: &OperationContext) -> (OperationStatus, Option<Reason>) {
    (
        end.status,
        end.cancellation.as_ref().map(|why| why.reason()),
    )
}

const LENGTH: (&str, &str) = ("content-length: 1000000", "some");
const CHUNKED: (&str, &str) = ("transfer-encoding: chunked", "4\r\nsome\r\n");
const CUT: (OperationStatus, Option<Reason>) =
    (OperationStatus::Cancelled, Some(Reason::Disconnected));

#[tokio::test]
async fn law_w2_a_client_that_leaves_in_the_middle_of_its_upload_cancels() {
    for (fields, part) in [LENGTH, CHUNKED] {
        for way in ["closes", "resets", "sends no more"] {
            for goes_on in [false, true] {
                let (layer, mut ends) = heard(CancelableLayer::new());
                let (tell, mut told) = Told::new();
                let server = serve(layer, move |request| {
                    let tell = tell.clone();
                    async move {
                        let response = judge(request, tell).await;
                        if goes_on { pending().await } else { response }
                    }
                })
                .await;
                let mut socket = begin(&server, fields, part, &mut told).await;
                match way {
                    "closes" => drop(socket),
                    "resets" => {
                        socket.set_zero_linger().unwrap();
                        drop(socket);
                    }
                    _ => {
                        socket.shutdown().await.unwrap();
                        let answer = read_to_end(&mut socket).await;
                        assert!(answer.starts_with("HTTP/1.1 499 "), "{answer}");
                    }
                }
                let case = format!("{way}, {fields}, {goes_on}");
                assert_eq!(ended(&end(&mut ends).await), CUT, "{case}");
                // The handler has the error all the same.
                assert!(told.next().await.contains("error"), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn law_w2_a_stream_that_is_reset_in_the_middle_of_an_upload_cancels() {
    for whole_connection in [false, true] {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let (tell, mut told) = Told::new();
        let server = serve(layer, move |request| judge(request, tell.clone())).await;
        let client = reqwest::Client::builder()
            .http2_prior_knowledge()
            .build()
            .unwrap();
        let some = stream::iter([Ok::<_, Infallible>("some")]).chain(stream::pending());
        let request = client.post(format!("http://{}/", server.address));
        let request = request.body(reqwest::Body::wrap_stream(some)).send();
        let mut request = Box::pin(request);
        tokio::select! {
            _ = &mut request => unreachable!("it never answers"),
            part = told.next() => assert_eq!(part, "Some(b\"some\")"),
        }
        let kept = (!whole_connection).then(|| client.clone());
        drop((request, client));
        assert_eq!(ended(&end(&mut ends).await), CUT);
        drop(kept);
    }
}

#[tokio::test]
async fn law_w2_an_upload_that_another_task_reads_cancels_as_well() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let (tell, mut told) = Told::new();
    let server = serve(layer, move |request: Request<Uploaded>| {
        drop(tokio::spawn(read(request.into_body(), tell.clone())));
        pending()
    })
    .await;
    drop(begin(&server, LENGTH.0, LENGTH.1, &mut told).await);
    assert_eq!(ended(&end(&mut ends).await), CUT);
}

#[tokio::test]
async fn law_w2_an_upload_that_goes_on_after_the_last_byte_cancels_nothing() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let (tell, mut told) = Told::new();
    let server = serve(layer, move |request: Request<Uploaded>| {
        let tell = tell.clone();
        drop(tokio::spawn(read(request.into_body(), tell)));
        async {
            // The server stops reading at the announced length.
            let mut response = stalled("whole", ());
            response.headers_mut().insert(CONTENT_LENGTH, 5.into());
            response
        }
    })
    .await;
    let mut socket = begin(&server, LENGTH.0, LENGTH.1, &mut told).await;
    super::read_until(&mut socket, "whole").await;
    drop(socket);
    assert!(told.next().await.contains("error"));
    let end = ended(&end(&mut ends).await);
    assert_eq!(end, (OperationStatus::Completed, None));
}

#[tokio::test]
async fn law_w3_what_a_client_does_that_leaves_its_upload_is_chosen() {
    let asked = Some(Reason::Disconnected);
    let grace = Disconnect::Grace(Duration::from_secs(86_400));
    let short = Disconnect::Grace(Duration::from_millis(10));
    for (disconnect, status, reason) in [
        (Disconnect::Cancel, OperationStatus::Cancelled, asked),
        (grace, OperationStatus::Completed, asked),
        (short, OperationStatus::Cancelled, asked),
        (Disconnect::Detach, OperationStatus::Completed, None),
        (Disconnect::Ignore, OperationStatus::Completed, None),
    ] {
        let (layer, mut ends) = heard(CancelableLayer::new().disconnect(disconnect));
        let (tell, mut told) = Told::new();
        let go_on = Arc::new(Notify::new());
        let wait = Arc::clone(&go_on);
        let server = serve(layer, move |request| {
            let (tell, wait) = (tell.clone(), Arc::clone(&wait));
            async move {
                let response = judge(request, tell).await;
                wait.notified().await;
                response
            }
        })
        .await;
        let mut socket = begin(&server, LENGTH.0, LENGTH.1, &mut told).await;
        socket.shutdown().await.unwrap();
        assert!(told.next().await.contains("error"), "{disconnect:?}");
        if status == OperationStatus::Completed {
            go_on.notify_one();
        }
        let end = end(&mut ends).await;
        assert_eq!(ended(&end), (status, reason), "{disconnect:?}");
        let is_marked = end.metadata.contains_key("disconnected");
        assert_eq!(is_marked, disconnect == Disconnect::Detach);
        let answer = read_to_end(&mut socket).await;
        let said = match status {
            OperationStatus::Completed => "HTTP/1.1 400 ",
            _ => "HTTP/1.1 499 ",
        };
        assert!(answer.starts_with(said), "{disconnect:?}: {answer}");
    }
}

#[tokio::test]
async fn a_malformed_upload_is_the_handlers_to_judge() {
    for malformed in ["no number\r\n", "ffffffffffffffffff\r\n"] {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let (tell, mut told) = Told::new();
        let server = serve(layer, move |request| judge(request, tell.clone())).await;
        let mut socket = begin(&server, CHUNKED.0, CHUNKED.1, &mut told).await;
        socket.write_all(malformed.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let end = ended(&end(&mut ends).await);
        assert_eq!(end, (OperationStatus::Completed, None));
    }
}

#[tokio::test]
async fn errors_that_are_not_the_servers_say_nothing_of_the_client() {
    // A limit of the program's, and what a decompressor says of an input that is cut.
    let cut = stream::iter([Err(io::ErrorKind::UnexpectedEof.into())]);
    let long = stream::repeat_with(|| Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"some"))));
    let bodies = [cut.boxed(), long.boxed()].map(|frames| {
        let limited = Limited::new(StreamBody::new(frames), 10);
        limited.map_err(io::Error::other).boxed_unsync()
    });
    for body in bodies {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let service = layer.layer(service_fn(async |request: Request<RequestBody<_>>| {
            assert!(request.into_body().collect().await.is_err());
            Ok::<_, Infallible>(text("too long, or so"))
        }));
        let response = service.oneshot(Request::new(body)).await.unwrap();
        assert_eq!(response.status(), 200);
        let end = ended(&end(&mut ends).await);
        assert_eq!(end, (OperationStatus::Completed, None));
    }
}

#[tokio::test]
async fn an_upload_is_handed_through_with_all_that_is_known_of_it() {
    let (layer, _ends) = heard(CancelableLayer::new());
    let (tell, mut told) = Told::new();
    let server = serve(layer, move |request: Request<Uploaded>| {
        let tell = tell.clone();
        async move {
            let mut body = request.into_body();
            let known = |body: &Uploaded| {
                let (hint, inner) = (body.size_hint().exact(), body.get_ref());
                assert_eq!(hint, inner.size_hint().exact());
                assert_eq!(body.is_end_stream(), inner.is_end_stream());
                format!("{hint:?} {}", body.is_end_stream())
            };
            tell.send(known(&body)).unwrap();
            if let Some(Err(error)) = body.frame().await {
                let error = error.downcast_ref::<hyper::Error>().expect("as it was");
                assert!(error.source().is_some());
            }
            tell.send(known(&body)).unwrap();
            text("fine")
        }
    })
    .await;
    let ways = [
        (
            "content-length: 4",
            "some",
            ["Some(4) false", "Some(0) true"],
        ),
        (CHUNKED.0, CHUNKED.1, ["None false", "None false"]),
        ("content-length: 0", "", ["Some(0) true", "Some(0) true"]),
        (LENGTH.0, "", ["Some(1000000) false", "Some(1000000) false"]),
    ];
    for (fields, part, expected) in ways {
        let head = format!("POST / HTTP/1.1\r\nhost: here\r\n{fields}\r\n\r\n{part}");
        let mut socket = sent(&server, &head).await;
        assert_eq!(told.next().await, expected[0]);
        socket.shutdown().await.unwrap();
        assert_eq!(told.next().await, expected[1]);
    }
}
