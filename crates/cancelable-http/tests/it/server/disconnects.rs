//! W2: a client that goes away cancels its operation, until the last byte was handed over.

use std::future::pending;

use cancelable::{Operation, OperationStatus, Reason};
use cancelable_http::CancelableLayer;
use futures_util::stream;
use http::header::CONTENT_LENGTH;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::{
    Answered, GET, TellsOfDrop, bounded, end, heard, read_to_end, read_until, sent, serve, stalled,
    streamed, text,
};

/// Makes a response.
type Make = fn() -> Answered;

/// A client of each protocol.
fn clients() -> [reqwest::Client; 2] {
    let one = reqwest::Client::new();
    let two = reqwest::Client::builder().http2_prior_knowledge().build();
    [one, two.unwrap()]
}

#[tokio::test]
async fn law_w2_a_client_that_leaves_before_the_head_cancels() {
    for client in clients() {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = serve(layer, move |_| {
            let tell = tell.clone();
            async move {
                let _dropped = TellsOfDrop(tell.clone(), "dropped");
                tell.send("begun").unwrap();
                pending().await
            }
        })
        .await;
        let request = client.get(format!("http://{}/slow", server.address)).send();
        let mut request = Box::pin(request);
        tokio::select! {
            _ = &mut request => unreachable!("it never answers"),
            begun = bounded(told.recv()) => assert_eq!(begun, Some("begun")),
        }
        drop(request);
        drop(client);
        let end = end(&mut ends).await;
        assert_eq!(end.status, OperationStatus::Cancelled);
        assert_eq!(end.name.as_deref(), Some("GET /slow"));
        let why = end.cancellation.unwrap();
        assert_eq!(why.reason(), Reason::Disconnected);
        assert_eq!(why.message(), "the client has disconnected");
        assert_eq!(bounded(told.recv()).await, Some("dropped"));
    }
}

#[tokio::test]
async fn law_w2_a_client_that_leaves_while_the_response_streams_cancels() {
    for client in clients() {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let (tell, mut told) = mpsc::unbounded_channel();
        let server = serve(layer, move |_| {
            let tell = tell.clone();
            async move { stalled("first", TellsOfDrop(tell, "stream dropped")) }
        })
        .await;
        let url = format!("http://{}/", server.address);
        let mut response = bounded(client.get(url).send()).await.unwrap();
        let chunk = bounded(response.chunk()).await.unwrap();
        assert_eq!(chunk.as_deref(), Some(&b"first"[..]));
        assert!(ends.try_recv().is_err(), "the operation spans the body");
        drop(response);
        drop(client);
        let end = end(&mut ends).await;
        assert_eq!(end.status, OperationStatus::Cancelled);
        assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
        assert_eq!(bounded(told.recv()).await, Some("stream dropped"));
    }
}

#[tokio::test]
async fn law_w2_a_client_that_resets_its_connection_cancels() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let server = serve(layer, |_| async { stalled("first", ()) }).await;
    let mut socket = sent(&server, GET).await;
    read_until(&mut socket, "first").await;
    socket.set_zero_linger().unwrap();
    drop(socket);
    let end = end(&mut ends).await;
    assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
}

#[tokio::test]
async fn law_w2_after_the_last_byte_nothing_is_cancelled() {
    // By all the ways in which a server comes to know that it has everything.
    let ways: [(&str, Make); 5] = [
        ("all at once", || text("whole")),
        ("nothing", || text("")),
        ("chunked", || {
            streamed(stream::iter(["wh", "ole"].map(Into::into)))
        }),
        // The server stops reading at the announced length.
        ("announced", || {
            let mut response = stalled("whole", ());
            response.headers_mut().insert(CONTENT_LENGTH, 5.into());
            response
        }),
        ("not modified", || {
            let mut response = stalled("never sent", ());
            *response.status_mut() = http::StatusCode::NOT_MODIFIED;
            response
        }),
    ];
    for (way, response) in ways {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let server = serve(layer, move |_| async move { response() }).await;
        let mut socket = sent(&server, GET).await;
        let end = end(&mut ends).await;
        drop(socket);
        assert_eq!(end.status, OperationStatus::Completed, "{way}");
        assert_eq!(end.cancellation, None, "{way}");
        socket = sent(&server, GET).await;
        let closed = GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        socket.write_all(closed.as_bytes()).await.unwrap();
        let all = read_to_end(&mut socket).await;
        assert_eq!(all.matches("HTTP/1.1 ").count(), 2, "{way}: {all}");
        for _ in 0..2 {
            let end = super::end(&mut ends).await;
            assert_eq!(
                (end.status, end.cancellation),
                (OperationStatus::Completed, None),
                "{way}"
            );
        }
    }
}

#[tokio::test]
async fn law_w2_a_head_request_is_over_with_its_head() {
    let head = "HEAD / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
    let ways: [(Make, &str); 3] = [
        (|| text("whole"), "content-length: 5\r\n"),
        (|| stalled("never sent", ()), "connection: close\r\n"),
        (
            || {
                let mut response = stalled("never sent", ());
                response.headers_mut().insert(CONTENT_LENGTH, 77.into());
                response
            },
            "content-length: 77\r\n",
        ),
    ];
    for (response, field) in ways {
        let (layer, mut ends) = heard(CancelableLayer::new());
        let with = serve(layer, move |_| async move { response() }).await;
        let bare = tower::service_fn(move |_| async move { Ok(response()) });
        let bare = super::serve_service(bare).await;
        let mut heads = Vec::new();
        for server in [&with, &bare] {
            let mut socket = sent(server, head).await;
            let mut all = read_to_end(&mut socket).await;
            let date = all.find("date: ").unwrap();
            all.replace_range(date..date + "date: Sun, 29 Nov 2026 00:00:00 GMT".len(), "");
            assert!(all.contains(field), "{all}");
            heads.push(all);
        }
        assert_eq!(heads[0], heads[1], "as without the layer");
        let end = end(&mut ends).await;
        assert_eq!(
            (end.status, end.cancellation),
            (OperationStatus::Completed, None)
        );
    }
}

#[tokio::test]
async fn law_w2_an_operation_that_ended_is_not_told_of_a_client_that_leaves_then() {
    let (layer, mut ends) = heard(CancelableLayer::new());
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = serve(layer, move |_| {
        let operation = Operation::current().expect("it runs in one");
        tell.send(operation).unwrap();
        async { text("whole") }
    })
    .await;
    let mut socket = sent(&server, GET).await;
    read_until(&mut socket, "whole").await;
    let operation = bounded(told.recv()).await.unwrap();
    assert_eq!(end(&mut ends).await.status, OperationStatus::Completed);
    // The connection is gone when the server has answered to its end.
    socket.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut socket).await, "");
    assert!(!operation.is_cancelled());
}
