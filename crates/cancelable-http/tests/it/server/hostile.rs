//! Clients that mean no good, or know no better.

use std::future::pending;
use std::time::Duration;

use cancelable::{Filter, OperationStatus, Reason, Registry};
use cancelable_http::{CancelableLayer, DeadlineHeaders};
use http::Request;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use super::{
    GET, Uploaded, bounded, end, heard, read_to_end, read_until, sent, serve, stalled, text,
};

#[tokio::test]
async fn a_body_that_never_comes_is_given_up_at_the_limit() {
    let limited = CancelableLayer::new().timeout(Duration::from_millis(50));
    let (layer, mut ends) = heard(limited);
    let server = serve(layer, |request: Request<Uploaded>| async {
        let read = request.into_body().collect().await;
        text(format!("read {}", read.unwrap().to_bytes().len()))
    })
    .await;
    let head = "POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 1000000\r\n\r\n";
    let mut socket = sent(&server, head).await;
    socket.write_all(b"a byte or so").await.unwrap();
    let answer = read_to_end(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert_eq!(
        end(&mut ends).await.cancellation.unwrap().reason(),
        Reason::Timeout
    );
}

#[tokio::test]
async fn a_connection_that_is_half_closed_is_gone() {
    // As hyper takes it unless told otherwise: who will not send any more will not read either.
    let (layer, mut ends) = heard(CancelableLayer::new());
    let server = serve(layer, |_| async { pending().await }).await;
    let mut socket = sent(&server, GET).await;
    socket.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut socket).await, "");
    let end = end(&mut ends).await;
    assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
}

#[tokio::test]
async fn a_path_of_any_length_leaves_a_short_name() {
    let registry = Registry::new();
    let (layer, mut ends) = heard(CancelableLayer::new().registered_in(&registry));
    let server = serve(layer, |_| async { text("fine") }).await;
    let path = format!("/{}", "%C3%A9".repeat(8_000));
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
    let answer = read_to_end(&mut sent(&server, &request).await).await;
    assert!(answer.ends_with("fine"), "{answer}");
    let name = end(&mut ends).await.name.unwrap();
    assert!(
        name.starts_with("GET /%C3%A9%C3%A9") && name.len() == 4 + 256,
        "{name}"
    );
    let kept = registry.history(&Filter::new()).remove(0);
    assert!(serde_json::to_string(&kept).unwrap().len() < 2_000);
}

#[tokio::test]
async fn malformed_deadlines_are_ignored_and_counted() {
    let deadlines = DeadlineHeaders::all();
    let layer = CancelableLayer::new().deadline_headers(deadlines.clone());
    let server = serve(layer, |_| async { text("fine") }).await;
    let long = "9".repeat(10_000);
    let malformed: [&str; 8] = ["-1", "+5", "1 2", "", "1e3", "0x10", "\u{e9}", &long];
    for value in malformed {
        let request = format!(
            "GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\nx-cancelable-timeout-ms: {value}\r\n\r\n"
        );
        let answer = read_to_end(&mut sent(&server, &request).await).await;
        assert!(answer.ends_with("fine"), "{value}: {answer}");
    }
    assert_eq!(deadlines.malformed(), malformed.len() as u64);
}

#[tokio::test]
async fn what_is_no_request_is_no_operation() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let server = serve(layer, |_| async { text("fine") }).await;
    for nonsense in ["\r\n\r\n\0\0", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        drop(read_to_end(&mut sent(&server, nonsense).await).await);
    }
    let mut socket = sent(&server, GET).await;
    read_until(&mut socket, "fine").await;
    assert_eq!(end(&mut ends).await.status, OperationStatus::Completed);
    assert!(ends.try_recv().is_err());
}

#[tokio::test]
async fn one_that_was_given_up_has_no_say_in_the_next() {
    // A client that resets stream after stream, and goes on on the same connection.
    let (layer, mut ends) = heard(CancelableLayer::new());
    let server = serve(layer, |request: Request<Uploaded>| async move {
        match request.uri().path() {
            "/quick" => text("fine"),
            _ => stalled("first", ()),
        }
    })
    .await;
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = |path| format!("http://{}/{path}", server.address);
    for _ in 0..50 {
        let slow = bounded(client.get(url("slow")).send()).await.unwrap();
        drop(slow);
        let quick = bounded(client.get(url("quick")).send()).await.unwrap();
        assert_eq!(bounded(quick.text()).await.unwrap(), "fine");
    }
    let mut by_status = [0, 0];
    for _ in 0..100 {
        match end(&mut ends).await.status {
            OperationStatus::Completed => by_status[0] += 1,
            _ => by_status[1] += 1,
        }
    }
    assert_eq!(by_status, [50, 50]);
}

#[tokio::test]
async fn a_panic_breaks_its_own_connection_alone() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let server = serve(layer, |request: Request<Uploaded>| async move {
        assert_eq!(request.uri().path(), "/fine", "as wanted");
        text("fine")
    })
    .await;
    let mut broken = sent(&server, GET).await;
    assert_eq!(read_to_end(&mut broken).await, "");
    assert_eq!(end(&mut ends).await.status, OperationStatus::Failed);
    let mut fine = sent(&server, &GET.replace("/path?query", "/fine")).await;
    read_until(&mut fine, "fine").await;
}
