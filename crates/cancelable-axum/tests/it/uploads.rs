//! The body of a request behind the layer: axum's own, by which a client is seen to leave in the middle of its upload.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::map_request;
use axum::routing::{MethodRouter, post};
use cancelable::{OperationStatus, Reason};
use cancelable_axum::layer;
use http_body_util::{BodyExt, Limited};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::unbounded_channel;
use tower::ServiceExt;

use crate::support::{Service, bounded, heard, read_to_end};

#[tokio::test]
async fn law_w2_extractors_answer_a_client_that_left_its_upload_and_are_cancelled() {
    let (tell, mut told) = unbounded_channel();
    let by_hand = post(async move |mut body: Body| {
        while let Some(Ok(frame)) = body.frame().await {
            tell.send(frame.into_data().unwrap()).unwrap();
        }
        "an upload that was cut"
    });
    let routes: [(&str, MethodRouter); 3] = [
        ("by hand", by_hand),
        ("bytes", post(async |body: Bytes| body)),
        ("inner", post(async |body: String| body).layer(layer())),
    ];
    for (what, route) in routes {
        let (layer, mut ends) = heard(layer());
        let app = Router::new().route("/", route).layer(layer);
        let service = Service::start(app).await;
        let head = "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nsome";
        let mut socket = service.sent(head).await;
        if what == "by hand" {
            assert_eq!(bounded(told.recv()).await.unwrap(), "some");
        }
        socket.shutdown().await.unwrap();
        let answer = read_to_end(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 499 "), "{what}: {answer}");
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Cancelled, "{what}");
        let why = end.cancellation.unwrap();
        assert_eq!(why.reason(), Reason::Disconnected, "{what}");
    }
}

/// axum tells a limit by how many errors are around it.
#[tokio::test]
async fn what_is_too_long_is_answered_as_without_the_layer() {
    let limit = |request: Request| async { request.map(|body| Body::new(Limited::new(body, 10))) };
    let route = || post(async |body: Bytes| body);
    let bare = Router::new().route("/", route());
    let apps = [
        bare.clone().layer(map_request(limit)),
        bare.clone().layer(layer()).layer(map_request(limit)),
        bare.layer(DefaultBodyLimit::max(10)).layer(layer()),
    ];
    for app in apps {
        let request = Request::post("/").body(Body::from("more than ten bytes"));
        let response = app.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), 413);
    }
}
