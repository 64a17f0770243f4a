//! W6 with axum's own graceful shutdown: all are told at once, none is dropped before the grace is over, who is left is named.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::sse::Event;
use axum::routing::get;
use cancelable::{Reason, Registry};
use cancelable_axum::{CurrentOperation, Disconnect, Shutdown, layer, sse};
use futures_util::stream::{self, StreamExt};
use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;
use tower::ServiceExt;

use crate::support::{
    Service, TellsOfDrop, bounded, clients, get as get_of, heard, read_to_end, read_until,
};

#[tokio::test]
async fn law_w6_a_thousand_open_streams_are_told_and_the_service_ends() {
    const STREAMS: usize = 1000;
    let shutdown = Shutdown::new().grace(Duration::from_secs(60));
    let events = async |op: CurrentOperation| {
        let first = stream::iter([Ok::<_, Infallible>(Event::default().data("hello"))]);
        sse(&op, first.chain(stream::pending()))
    };
    let app = Router::new()
        .route("/events", get(events))
        .layer(layer().shutdown(&shutdown));
    let mut service = Service::until(app, &shutdown).await;
    let mut sockets = Vec::new();
    for _ in 0..STREAMS {
        sockets.push(service.sent(&get_of("/events")).await);
    }
    for socket in &mut sockets {
        read_until(socket, "data: hello\n\n").await;
    }
    assert_eq!(shutdown.running(), STREAMS);

    assert!(shutdown.begin_with("closing time"));
    for socket in &mut sockets {
        let rest = read_to_end(socket).await;
        assert!(
            rest.contains("event: cancelled\ndata: closing time\n\n"),
            "{rest}"
        );
        assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
    }
    let report = bounded(shutdown.finished()).await;
    assert_eq!(
        (report.asked(), report.is_clean()),
        (STREAMS, true),
        "{report}"
    );
    bounded(&mut service.serving).await.unwrap();
}

#[tokio::test]
async fn law_w6_a_request_goes_on_through_its_grace_and_is_dropped_after_it() {
    let shutdown = Shutdown::new().grace(Duration::from_millis(300));
    let registry = Registry::new();
    let (outer, mut ends) = heard(layer().registered_in(&registry).shutdown(&shutdown));
    let (tell, mut told) = unbounded_channel();
    let let_go = Arc::new(Notify::new());
    let finishing = {
        let (tell, let_go) = (tell.clone(), Arc::clone(&let_go));
        async move |op: CurrentOperation| {
            tell.send("begun").unwrap();
            assert_eq!(op.cancelled().await.reason(), Reason::Shutdown);
            tell.send("asked").unwrap();
            let_go.notified().await;
            "in time"
        }
    };
    let stubborn = async move || {
        let _dropped = TellsOfDrop(tell.clone(), "dropped");
        tell.send("begun").unwrap();
        pending::<()>().await;
    };
    let detached = get(stubborn).layer(layer().disconnect(Disconnect::Detach));
    let app = Router::new()
        .route("/finishing", get(finishing))
        .route("/stubborn/{id}", detached)
        .layer(outer);
    let mut service = Service::until(app, &shutdown).await;
    let mut finishing = service.sent(&get_of("/finishing")).await;
    assert_eq!(bounded(told.recv()).await, Some("begun"));
    let mut stubborn = service.sent(&get_of("/stubborn/7")).await;
    assert_eq!(bounded(told.recv()).await, Some("begun"));

    let begun = tokio::time::Instant::now();
    assert!(shutdown.begin());
    assert_eq!(bounded(told.recv()).await, Some("asked"));
    assert!(TcpStream::connect(service.address).await.is_err() || !service.serving.is_finished());
    let_go.notify_one();
    let answer = read_to_end(&mut finishing).await;
    assert!(answer.ends_with("in time"), "{answer}");
    assert!(
        begun.elapsed() < Duration::from_millis(300),
        "the machine is too slow for this test"
    );

    assert_eq!(bounded(told.recv()).await, Some("dropped"));
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let answer = read_to_end(&mut stubborn).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    let report = bounded(shutdown.finished()).await;
    assert_eq!((report.asked(), report.is_clean()), (2, true), "{report}");
    bounded(&mut service.serving).await.unwrap();
    for _ in 0..2 {
        let end = ends.next().await;
        assert_eq!(end.cancellation.unwrap().reason(), Reason::Shutdown);
    }
}

#[tokio::test(start_paused = true)]
async fn law_w6_who_is_left_is_named_by_its_route() {
    let shutdown = Shutdown::new().grace(Duration::from_secs(10));
    let cleaning = async |op: CurrentOperation| {
        let hour = Duration::from_secs(3600);
        op.finalizer(2 * hour, async move |_| tokio::time::sleep(hour).await);
        pending::<()>().await;
    };
    let app = Router::new()
        .route("/cleaning/{id}", get(cleaning))
        .route("/quick", get(async || pending::<()>().await))
        .layer(layer().shutdown(&shutdown));
    let ask = |path| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        tokio::spawn(app.clone().oneshot(request))
    };
    let (_cleaning, quick) = (ask("/cleaning/7"), ask("/quick"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(shutdown.running(), 2);

    shutdown.begin();
    let report = shutdown.finished().await;
    assert_eq!(
        (report.asked(), report.took()),
        (2, Duration::from_secs(15))
    );
    let [left] = report.still_running() else {
        panic!("one is left: {report}");
    };
    assert_eq!(left.name.as_deref(), Some("GET /cleaning/{id}"));
    assert_eq!(left.duration, Duration::from_secs(16));
    assert_eq!(quick.await.unwrap().unwrap().status(), 503);
}

#[tokio::test]
async fn law_w6_a_kept_connection_is_told_to_come_again() {
    let shutdown = Shutdown::new();
    let app = Router::new()
        .route("/", get(async || "hello"))
        .layer(layer().shutdown(&shutdown));
    // One that goes on accepting, so the connection stays.
    let service = Service::start(app).await;
    let mut socket = service.sent(&get_of("/")).await;
    read_until(&mut socket, "hello").await;
    shutdown.begin();
    socket.write_all(get_of("/").as_bytes()).await.unwrap();
    let answer = read_until(&mut socket, "the service is shutting down\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    let [_, two] = clients();
    let response = bounded(two.get(service.url("/")).send()).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(bounded(shutdown.finished()).await.is_clean());
}
