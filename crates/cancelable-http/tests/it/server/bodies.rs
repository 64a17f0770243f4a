//! W1: the body of a request is the handler's, byte for byte the same as without the layer.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use bytes::Bytes;
use cancelable_http::CancelableLayer;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, service_fn};

use super::{Answered, Server, bounded, read_to_end, read_until, sent, serve_service, text};

const LENGTH: usize = 20_000_000;

/// What is sent: no two pieces of it are alike.
fn upload() -> Vec<u8> {
    let words = (0..LENGTH as u32 / 4).map(|n| n.wrapping_mul(2_654_435_761));
    words.flat_map(u32::to_le_bytes).collect()
}

/// Pieces of it, from a byte to 64 KiB, by a generator with a seed.
fn dribbles(mut all: &[u8], mut seed: u64) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let most = all.len().min(1 + (seed >> 33) as usize % 65_536);
        let (piece, rest) = all.split_at(most);
        all = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fn digest(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.iter().for_each(|byte| hasher.write_u8(*byte));
    format!("{} {:x}", bytes.len(), hasher.finish())
}

/// Answers with how long the body was and what was in it; late, or without reading it.
async fn handle<B>(request: Request<B>) -> Result<Answered, Infallible>
where
    B: Body<Data = Bytes> + Unpin,
{
    let path = request.uri().path().to_owned();
    if path == "/never" {
        return Ok(text("not read"));
    }
    if path == "/late" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut hasher = DefaultHasher::new();
    let (mut length, mut body) = (0, request.into_body());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Ok(text("broken"));
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        data.iter().for_each(|byte| hasher.write_u8(*byte));
        if path == "/part" && length > 100_000 {
            return Ok(text("enough"));
        }
    }
    Ok(text(format!("{length} {:x}", hasher.finish())))
}

/// A server with the layer, and one without.
async fn both() -> [Server; 2] {
    let with = CancelableLayer::new()
        .timeout(Duration::from_secs(60))
        .layer(service_fn(handle));
    [
        serve_service(with).await,
        serve_service(service_fn(handle)).await,
    ]
}

fn put(path: &str, fields: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{fields}\r\n")
}

/// What a server gave, without its date.
fn undated(answer: &str) -> String {
    let lines = answer.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("date: ")).collect()
}

#[tokio::test]
async fn law_w1_a_large_upload_in_dribbles() {
    let upload = upload();
    let expected = digest(&upload);
    for (path, seed) in [("/", 1), ("/late", 2)] {
        let mut answers = Vec::new();
        for server in both().await {
            let head = put(path, &format!("content-length: {LENGTH}\r\n"));
            let mut socket = sent(&server, &head).await;
            for dribble in dribbles(&upload, seed) {
                bounded(socket.write_all(dribble)).await.unwrap();
            }
            answers.push(undated(&read_to_end(&mut socket).await));
        }
        assert!(answers[0].ends_with(&expected), "{}", answers[0]);
        assert_eq!(answers[0], answers[1]);
    }
}

#[tokio::test]
async fn law_w1_a_chunked_upload_over_each_protocol() {
    let upload = upload();
    let expected = digest(&upload);
    let pieces: Vec<_> = dribbles(&upload, 3).map(Bytes::copy_from_slice).collect();
    let clients = [
        reqwest::Client::new(),
        reqwest::Client::builder()
            .http2_prior_knowledge()
            .build()
            .unwrap(),
    ];
    for client in clients {
        for server in both().await {
            let pieces = stream::iter(pieces.clone()).map(Ok::<_, Infallible>);
            let request = client.put(format!("http://{}/", server.address));
            let request = request.body(reqwest::Body::wrap_stream(pieces));
            let response = bounded(request.send()).await.unwrap();
            assert_eq!(bounded(response.text()).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn law_w1_a_client_that_asks_before_it_sends() {
    let head = |path| put(path, "content-length: 5\r\nexpect: 100-continue\r\n");
    let mut answers = Vec::new();
    for server in both().await {
        let mut socket = sent(&server, &head("/late")).await;
        assert_eq!(
            read_until(&mut socket, "\r\n\r\n").await,
            "HTTP/1.1 100 Continue\r\n\r\n"
        );
        socket.write_all(b"12345").await.unwrap();
        let answer = undated(&read_to_end(&mut socket).await);
        assert!(answer.ends_with(&digest(b"12345")), "{answer}");
        // Who does not want the body does not ask for it.
        let mut socket = sent(&server, &head("/never")).await;
        let refused = undated(&read_to_end(&mut socket).await);
        assert!(
            refused.starts_with("HTTP/1.1 200 ") && refused.ends_with("not read"),
            "{refused}"
        );
        answers.push((answer, refused));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn law_w1_a_body_that_is_not_read_or_not_to_its_end() {
    for (path, said) in [("/never", "not read"), ("/part", "enough")] {
        for server in both().await {
            let mut socket = sent(&server, &put(path, "content-length: 200000\r\n")).await;
            let (mut from, mut to) = socket.split();
            let sending = async {
                // The server may close before it has come.
                let _ = to.write_all(&[7; 200_000]).await;
            };
            let reading = async {
                let mut answer = Vec::new();
                let _ = from.read_to_end(&mut answer).await;
                String::from_utf8(answer).unwrap()
            };
            let (answer, ()) = bounded(futures_util::future::join(reading, sending)).await;
            assert!(answer.ends_with(said), "{answer}");
        }
    }
}

#[tokio::test]
async fn law_w1_a_pipelined_request_waits_its_turn() {
    for server in both().await {
        let one = "PUT /late HTTP/1.1\r\nhost: here\r\ncontent-length: 3\r\n\r\nabc";
        let two = put("/", "content-length: 3\r\n");
        let mut socket = sent(&server, &format!("{one}{two}def")).await;
        let all = read_to_end(&mut socket).await;
        let [first, second] = [b"abc", b"def"].map(|body| all.find(&digest(body)).unwrap());
        assert!(first < second, "{all}");
    }
}
