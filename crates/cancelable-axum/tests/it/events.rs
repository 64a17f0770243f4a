//! Server-sent events: they end with their client, and say why they end otherwise.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::map_response;
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use cancelable::{OperationStatus, Reason, Registry};
use cancelable_axum::{CancelableLayer, CurrentOperation, Disconnect, Shutdown, layer, sse};
use futures_util::stream::{self, StreamExt};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{Ends, Service, TellsOfDrop, bounded, clients, heard, whole_text};

/// A service whose `/events` gives two events, and then waits for ever; and word of what becomes of it.
async fn stalled(layer: CancelableLayer) -> (Service, Ends, UnboundedReceiver<&'static str>) {
    let (tell, told) = unbounded_channel();
    let (layer, ends) = heard(layer);
    let handler = async move |op: CurrentOperation| {
        let upstream = TellsOfDrop(tell, "upstream is gone");
        let events = stream::iter(["Once", "upon"]).chain(stream::pending());
        sse(
            &op,
            events.map(move |text| {
                let _open = &upstream;
                Ok::<_, Infallible>(Event::default().data(text))
            }),
        )
    };
    let app = Router::new().route("/events", get(handler)).layer(layer);
    (Service::start(app).await, ends, told)
}

const FIRST: &str = "data: Once\n\ndata: upon\n\n";

/// The response, once both events have come, with what has come after them.
async fn begun(client: &reqwest::Client, service: &Service) -> (reqwest::Response, String) {
    let url = service.url("/events");
    let mut response = bounded(client.get(url).send()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut came = String::new();
    while came.len() < FIRST.len() {
        let chunk = bounded(response.chunk()).await.unwrap().unwrap();
        came.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let more = came
        .strip_prefix(FIRST)
        .expect("they come first")
        .to_owned();
    (response, more)
}

#[tokio::test]
async fn law_w2_the_upstream_of_events_is_dropped_as_the_client_leaves() {
    for client in clients() {
        let (service, mut ends, mut told) = stalled(layer()).await;
        let response = begun(&client, &service).await;
        assert!(ends.is_empty());
        drop((response, client));
        assert_eq!(bounded(told.recv()).await, Some("upstream is gone"));
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Cancelled);
        assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
        assert_eq!(end.items, 2);
    }
}

#[tokio::test]
async fn a_stream_that_is_cancelled_says_why_and_is_complete() {
    let limit = || layer().timeout(Duration::from_millis(300));
    let by_hand = Registry::new();
    let shutdown = Shutdown::new();
    type Stop<'a> = Box<dyn Fn() + 'a>;
    let ways: [(CancelableLayer, Stop<'_>, Reason, &str); 3] = [
        (
            limit(),
            Box::new(|| {}),
            Reason::Timeout,
            "timed out after 300ms",
        ),
        (
            layer().registered_in(&by_hand),
            Box::new(|| {
                by_hand.cancel_all(&cancelable::Filter::new(), "enough\nof this");
            }),
            Reason::Manual,
            "enough\ndata: of this",
        ),
        (
            layer().shutdown(&shutdown),
            Box::new(|| assert!(shutdown.begin())),
            Reason::Shutdown,
            "shutting down",
        ),
    ];
    for (layer, stop, reason, said) in ways {
        let [one, two] = clients();
        let mut services = Vec::new();
        for client in [one, two] {
            let (service, ends, told) = stalled(layer.clone()).await;
            let response = begun(&client, &service).await;
            services.push((service, ends, told, response));
        }
        stop();
        for (_service, mut ends, mut told, (response, more)) in services {
            let rest = bounded(response.text()).await.expect("it is complete");
            assert_eq!(more + &rest, format!("event: cancelled\ndata: {said}\n\n"));
            assert_eq!(bounded(told.recv()).await, Some("upstream is gone"));
            let end = ends.next().await;
            assert_eq!(end.status, OperationStatus::Cancelled);
            assert_eq!(end.cancellation.unwrap().reason(), reason);
            assert_eq!(end.items, 2);
        }
    }
}

/// What is put around a body, such as compression, has to be polled once more to know that it is over.
#[tokio::test]
async fn the_last_word_gets_through_what_hides_the_end_of_a_body() {
    let hides = map_response(async |response: Response| {
        response.map(|body| Body::from_stream(body.into_data_stream()))
    });
    let (layer, mut ends) = heard(layer().timeout(Duration::from_millis(50)));
    let handler = async |op: CurrentOperation| sse(&op, stream::pending::<Result<_, Infallible>>());
    let app = Router::new()
        .route("/", get(handler))
        .layer(hides)
        .layer(layer);
    let service = Service::start(app).await;
    for client in clients() {
        let text = whole_text(&client, service.url("/")).await;
        let expected = "event: cancelled\ndata: timed out after 50ms\n\n";
        assert_eq!(text.as_deref(), Some(expected));
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Cancelled);
        assert_eq!(end.cancellation.unwrap().reason(), Reason::Timeout);
    }
}

#[tokio::test]
async fn events_that_end_by_themselves_are_complete_and_are_kept_alive() {
    let (layer, mut ends) = heard(layer());
    let let_go = Arc::new(Notify::new());
    let handler = {
        let let_go = Arc::clone(&let_go);
        async move |op: CurrentOperation| {
            let waits = stream::once(async move {
                let_go.notified().await;
                Ok::<_, Infallible>(Event::default().data("late"))
            });
            let often = KeepAlive::new().interval(Duration::from_millis(5));
            sse(&op, waits).keep_alive(often.text("here"))
        }
    };
    let app = Router::new().route("/", get(handler)).layer(layer);
    let service = Service::start(app).await;
    for client in clients() {
        let mut response = bounded(client.get(service.url("/")).send()).await.unwrap();
        let first = bounded(response.chunk()).await.unwrap().unwrap();
        assert!(first.starts_with(b": here\n\n"), "{first:?}");
        let_go.notify_one();
        let rest = bounded(response.text()).await.unwrap();
        assert!(rest.ends_with("data: late\n\n"), "{rest}");
        let end = ends.next().await;
        assert_eq!(
            (end.status, end.cancellation),
            (OperationStatus::Completed, None)
        );
    }
}

#[tokio::test]
async fn an_error_of_the_stream_cuts_the_response() {
    let (layer, mut ends) = heard(layer());
    let handler = async |op: CurrentOperation| {
        let events = [Ok(Event::default().data("one")), Err("upstream broke")];
        sse(&op, stream::iter(events))
    };
    let app = Router::new().route("/", get(handler)).layer(layer);
    let service = Service::start(app).await;
    for client in clients() {
        assert_eq!(whole_text(&client, service.url("/")).await, None);
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Failed);
        assert_eq!(end.error.as_deref(), Some("upstream broke"));
    }
}

#[tokio::test]
async fn law_w3_a_route_may_have_its_events_go_on_without_a_client() {
    let (tell, mut told) = unbounded_channel();
    let registry = Registry::new();
    let layer = layer().disconnect(Disconnect::Detach);
    let (layer, mut ends) = heard(layer.registered_in(&registry));
    let (let_go, go) = tokio::sync::watch::channel(false);
    let handler = async move |op: CurrentOperation| {
        let events = stream::unfold((0, go, tell), async |(number, mut go, tell)| {
            if number > 0 {
                go.wait_for(|go| *go).await.unwrap();
                tell.send("produced").unwrap();
            }
            let event = Ok::<_, Infallible>(Event::default().data("more"));
            (number < 4).then_some((event, (number + 1, go, tell)))
        });
        sse(&op, events)
    };
    let app = Router::new().route("/events", get(handler)).layer(layer);
    let service = Service::start(app).await;
    let [client, _] = clients();
    let mut response = bounded(client.get(service.url("/events")).send())
        .await
        .unwrap();
    bounded(response.chunk()).await.unwrap();
    drop((response, client));
    let has_left = cancelable::Filter::new().metadata("disconnected", true);
    bounded(async {
        while registry.count(&has_left) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let_go.send(true).unwrap();
    for _ in 0..4 {
        assert_eq!(bounded(told.recv()).await, Some("produced"));
    }
    let end = ends.next().await;
    assert_eq!((end.status, end.items), (OperationStatus::Completed, 4));
}
