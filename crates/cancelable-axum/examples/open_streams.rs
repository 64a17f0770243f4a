//! How long it takes until all clients of open streams are told of a shutdown.
//!
//! ```text
//! $ cargo run --release -p cancelable-axum --example open_streams -- [STREAMS]
//! ```
//!
//! It panics unless each client was told why, and got the whole of its response, and nobody is left.
#![expect(clippy::print_stdout, reason = "it is there for its figures")]
#![expect(clippy::unwrap_used, reason = "what goes wrong is a finding")]

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::sse::Event;
use axum::routing::get;
use cancelable_axum::{CurrentOperation, Shutdown, layer, sse};
use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() {
    let streams = std::env::args().nth(1);
    let streams: usize = streams.map_or(1000, |streams| streams.parse().unwrap());
    let shutdown = Shutdown::new();
    let events = async |op: CurrentOperation| {
        let first = stream::iter([Ok::<_, Infallible>(Event::default().data("hello"))]);
        sse(&op, first.chain(stream::pending()))
    };
    let app = Router::new()
        .route("/events", get(events))
        .layer(layer().shutdown(&shutdown));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = axum::serve(listener, app).with_graceful_shutdown(shutdown.begun());
    let serving = tokio::spawn(async { serving.await });

    let mut clients = JoinSet::new();
    for _ in 0..streams {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = b"GET /events HTTP/1.1\r\nhost: here\r\n\r\n";
        socket.write_all(request).await.unwrap();
        read_until(&mut socket, &mut Vec::new(), b"data: hello\n\n").await;
        clients.spawn(async move {
            let mut all = Vec::new();
            read_until(
                &mut socket,
                &mut all,
                b"event: cancelled\ndata: closing time\n\n",
            )
            .await;
            let told = Instant::now();
            read_until(&mut socket, &mut all, b"0\r\n\r\n").await;
            told
        });
    }
    assert_eq!(shutdown.running(), streams);

    let begun = Instant::now();
    assert!(shutdown.begin_with("closing time"));
    let asked = begun.elapsed();
    let mut told = Vec::new();
    while let Some(at) = clients.join_next().await {
        told.push(at.unwrap() - begun);
    }
    told.sort_unstable();
    let report = shutdown.finished().await;
    assert!(report.is_clean(), "{report}");
    serving.await.unwrap().unwrap();
    println!(
        "{streams} streams: all asked after {asked:?}; told, the median {:?}, the last {:?}; all over after {:?}",
        told[streams / 2],
        told[streams - 1],
        begun.elapsed(),
    );
    assert!(told[streams - 1] < Duration::from_secs(1), "too late");
}

/// Reads on until this has come.
async fn read_until(socket: &mut TcpStream, all: &mut Vec<u8>, text: &[u8]) {
    while !all.windows(text.len()).any(|part| part == text) {
        assert!(socket.read_buf(all).await.unwrap() > 0, "it was cut");
    }
}
