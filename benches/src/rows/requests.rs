//! Requests through an axum service that is called in process: what the layer adds to one.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use axum::routing::get;
use axum::{Router, middleware};
use cancelable_http::{CancelableLayer, Shutdown};
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
        over(effort, "/small", 1e3, |app| {
            app.layer(CancelableLayer::new())
        })
    }),
    row(
        "request with a limit and a shutdown, over one without",
        |effort| {
            let shutdown = Shutdown::new();
            let layer = CancelableLayer::new().timeout(LIMIT).shutdown(&shutdown);
            over(effort, "/small", 1e3, |app| app.layer(layer))
        },
    ),
    row(
        "request whose response streams, over one without",
        |effort| {
            over(effort, "/stream", 2e3, |app| {
                app.layer(CancelableLayer::new())
            })
        },
    ),
    row(
        "request through a layer of nothing, over one without",
        |effort| {
            // What axum itself takes for any layer that is a function.
            let nothing = middleware::from_fn(|request, next: middleware::Next| next.run(request));
            over(effort, "/small", 1e3, |app| app.layer(nothing))
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
    around: impl FnOnce(Router) -> Router,
) -> Measured {
    in_runtime(|cx| {
        let (mut bare, mut layered) = (app(), around(app()));
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

fn app() -> Router {
    Router::new()
        .route("/small", get(async || "a small response"))
        .route("/stream", get(streamed))
}

async fn streamed() -> Body {
    Body::from_stream(stream::iter(
        (0..4).map(|_| Ok::<_, Infallible>(Bytes::from_static(b"some"))),
    ))
}

/// A request, up to the last frame of its response, which is whole.
fn call(app: &mut Router, path: &str, waker: &Waker) {
    let mut cx = Context::from_waker(waker);
    let request = Request::get(path).body(Body::empty()).expect("a path");
    let mut response = pin!(Service::<Request<Body>>::call(app, request));
    let Poll::Ready(Ok(response)) = response.as_mut().poll(&mut cx) else {
        panic!("nothing in it waits");
    };
    let length = read(response, &mut cx);
    assert_eq!(length, 16);
}

fn read(response: Response<Body>, cx: &mut Context<'_>) -> usize {
    let mut body = response.into_body();
    let mut length = 0;
    loop {
        match pin!(body.frame()).poll(cx) {
            Poll::Ready(Some(frame)) => {
                let frame = frame.expect("it is not cut");
                length += frame.data_ref().map_or(0, Bytes::len);
            }
            Poll::Ready(None) => return length,
            Poll::Pending => panic!("nothing in it waits"),
        }
    }
}
