//! Bodies that stream: they end with their client, and are cut where they are not whole.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use cancelable::{OperationStatus, Reason};
use cancelable_axum::{CurrentOperation, layer, streaming};
use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{Service, TellsOfDrop, bounded, clients, heard, whole_text};

#[tokio::test]
async fn law_w2_a_source_of_bytes_is_dropped_as_the_client_leaves() {
    for client in clients() {
        let (tell, mut told) = unbounded_channel();
        let (layer, mut ends) = heard(layer());
        let handler = async move |op: CurrentOperation| {
            let source = TellsOfDrop(tell, "source is gone");
            let chunks = stream::iter(["first"]).chain(stream::pending());
            streaming(
                &op,
                chunks.map(move |chunk| {
                    let _open = &source;
                    Ok::<_, io::Error>(chunk)
                }),
            )
        };
        let app = Router::new().route("/", get(handler)).layer(layer);
        let service = Service::start(app).await;
        let mut response = bounded(client.get(service.url("/")).send()).await.unwrap();
        let chunk = bounded(response.chunk()).await.unwrap().unwrap();
        assert_eq!(chunk, "first");
        drop((response, client));
        assert_eq!(bounded(told.recv()).await, Some("source is gone"));
        let end = ends.next().await;
        assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
        assert_eq!(end.items, 1);
    }
}

#[tokio::test]
async fn no_client_takes_a_part_of_a_body_for_the_whole() {
    let (layer, mut ends) = heard(layer());
    let limited = |op: CurrentOperation| async move {
        op.token().cancel_after(Duration::from_millis(100));
        let chunks = stream::iter(["first"]).chain(stream::pending());
        streaming(&op, chunks.map(Ok::<_, io::Error>))
    };
    let broken = |op: CurrentOperation| async move {
        let chunks = [Ok("first"), Err(io::Error::other("the disk is on fire"))];
        streaming(&op, stream::iter(chunks))
    };
    let whole = |op: CurrentOperation| async move {
        streaming(&op, stream::iter(["a", "b"]).map(Ok::<_, io::Error>))
    };
    let app = Router::new()
        .route("/limited", get(limited))
        .route("/broken", get(broken))
        .route("/whole", get(whole))
        .layer(layer);
    let service = Service::start(app).await;
    let cases = [
        ("/limited", None, OperationStatus::Cancelled),
        ("/broken", None, OperationStatus::Failed),
        ("/whole", Some("ab"), OperationStatus::Completed),
    ];
    for client in clients() {
        for (path, text, status) in cases {
            let came = whole_text(&client, service.url(path)).await;
            assert_eq!(came.as_deref(), text, "{path}");
            assert_eq!(ends.next().await.status, status, "{path}");
        }
    }
}
