//! Requests through an axum service that is called in process: what the layer adds to one.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::get;
use axum::{Router, middleware};
use cancelable::Operation;
use cancelable_axum::{CancelableLayer, Shutdown, layer};
use futures_util::stream;
use http_body_util::BodyExt;
use tower::Service;

use super::operations::in_runtime;
use super::{Row, row};
use crate::Effort;
use crate::sampling::{OURS, THEIRS, one_thread};
use crate::table::Measured;

pub(crate) static ROWS: &[Row] = &[
    row("request, over one without the layer", |effort| {
        over(effort, "/small", 1e3, AN_OPERATION, |app| {
            app.layer(layer())
        })
    }),
    row(
        "request whose operation is not named, over one without",
        |effort| {
            over(effort, "/small", 1e3, AN_OPERATION, |app| {
                app.layer(CancelableLayer::default())
            })
        },
    ),
    row(
        "request with a limit and a shutdown, over one without",
        |effort| {
            let layer = |shutdown| layer().timeout(LIMIT).shutdown(shutdown);
            let (begun, shutdown) = (Shutdown::new(), Shutdown::new());
            begun.begin();
            over(effort, "/small", 1e3, ONE_WITH_A_LIMIT, |app| {
                assert_eq!(seen(&mut app.clone().layer(layer(&begun))), TURNED_AWAY);
                app.layer(layer(&shutdown))
            })
        },
    ),
    row(
        "request whose response streams, over one without",
        |effort| {
            over(effort, "/stream", 2e3, AN_OPERATION, |app| {
                app.layer(layer())
            })
        },
    ),
    row(
        "request through a layer of nothing, over one without",
        |effort| {
            // What axum itself takes for any layer that is a function.
            let nothing = middleware::from_fn(|request, next: middleware::Next| next.run(request));
            over(effort, "/small", 1e3, NO_OPERATION, |app| {
                app.layer(nothing)
            })
        },
    ),
];

/// Long enough never to fire.
const LIMIT: Duration = Duration::from_secs(60);

/// What a request takes more with this around the service than without it, and is to take at most.
fn over(
    effort: &Effort,
    path: &str,
    reach: f64,
    sees: &str,
    around: impl FnOnce(Router) -> Router,
) -> Measured {
    in_runtime(|cx| {
        let (mut bare, mut layered) = (app(), around(app()));
        assert_eq!(seen(&mut bare), NO_OPERATION);
        assert_eq!(seen(&mut layered), sees);
        let waker = cx.waker();
        let samples = one_thread(
            effort,
            [
                &mut |rounds| (0..rounds).for_each(|_| call(&mut bare, path, waker)),
                &mut |rounds| (0..rounds).for_each(|_| call(&mut layered, path, waker)),
            ],
        );
        Measured::within(samples.median_over(OURS, THEIRS), reach)
    })
}

/// So many small requests, for tools that count instructions; says how many there were.
pub(super) fn subject(whose: &str, requests: usize) -> f64 {
    let mut app = match whose {
        "bare" => app(),
        "unnamed" => app().layer(CancelableLayer::default()),
        "named" => app().layer(layer()),
        _ => panic!("no such service: {whose}"),
    };
    (0..requests).for_each(|_| call(&mut app, "/small", Waker::noop()));
    requests as f64
}

fn app() -> Router {
    Router::new()
        .route("/small", get(async || "a small response"))
        .route("/stream", get(streamed))
        .route("/seen", get(see))
}

/// What a handler sees of the operation that it runs in.
async fn see() -> &'static str {
    match Operation::current().map(|operation| operation.deadline()) {
        None => NO_OPERATION,
        Some(None) => AN_OPERATION,
        Some(Some(_)) => ONE_WITH_A_LIMIT,
    }
}

const NO_OPERATION: &str = "none";
const AN_OPERATION: &str = "an operation";
const ONE_WITH_A_LIMIT: &str = "an operation with a limit";
/// What a client is told once a shutdown has begun.
const TURNED_AWAY: &str = "the service is shutting down\n";

async fn streamed() -> Body {
    Body::from_stream(stream::iter(
        (0..4).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"some"))),
    ))
}

/// A request, up to the last frame of its response, which is whole.
fn call(app: &mut Router, path: &str, waker: &Waker) {
    let mut length = 0;
    read(app, path, waker, |data| length += data.len());
    assert_eq!(length, 16);
}

fn seen(app: &mut Router) -> String {
    let mut text = Vec::new();
    read(app, "/seen", Waker::noop(), |data| text.extend(data));
    String::from_utf8(text).expect("our own text")
}

fn read(app: &mut Router, path: &str, waker: &Waker, mut each: impl FnMut(&Bytes)) {
    let mut cx = Context::from_waker(waker);
    let request = Request::get(path).body(Body::empty()).expect("a path");
    let mut response = pin!(Service::<Request<Body>>::call(app, request));
    let Poll::Ready(Ok(response)) = response.as_mut().poll(&mut cx) else {
        panic!("nothing in it waits");
    };
    let mut body = response.into_body();
    loop {
        match pin!(body.frame()).poll(&mut cx) {
            Poll::Ready(Some(frame)) => {
                let frame = frame.expect("it is not cut");
                frame.data_ref().into_iter().for_each(&mut each);
            }
            Poll::Ready(None) => return,
            Poll::Pending => panic!("nothing in it waits"),
        }
    }
}
