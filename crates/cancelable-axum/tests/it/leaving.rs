//! W2 and W3 as axum's handlers see them: a client that leaves, and what that does on each route.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use cancelable::{OperationStatus, Reason, checkpoint};
use cancelable_axum::{CurrentOperation, Disconnect, layer};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{Service, TellsOfDrop, bounded, clients, get as get_of, heard, read_until};

type Tell = UnboundedSender<&'static str>;

/// Sends a request, waits until its handler has begun, and leaves.
async fn leave(
    client: reqwest::Client,
    url: String,
    told: &mut tokio::sync::mpsc::UnboundedReceiver<&'static str>,
) {
    let mut request = Box::pin(client.get(url).send());
    tokio::select! {
        answer = &mut request => unreachable!("it never answers: {answer:?}"),
        begun = bounded(told.recv()) => assert_eq!(begun, Some("begun")),
    }
    drop(request);
    drop(client);
}

#[tokio::test]
async fn law_w2_a_handler_whose_client_leaves_ends_with_all_that_it_began() {
    async fn busy(op: &CurrentOperation, tell: Tell) {
        let in_task = TellsOfDrop(tell.clone(), "task");
        drop(op.spawn(async move {
            let _in_task = in_task;
            pending::<()>().await;
        }));
        let in_thread = tell.clone();
        let (at_work, works) = tokio::sync::oneshot::channel();
        drop(op.spawn_blocking(move || {
            at_work.send(()).unwrap();
            while checkpoint().is_ok() {
                std::thread::yield_now();
            }
            in_thread.send("thread").unwrap();
        }));
        works.await.unwrap();
        let finalizer = tell.clone();
        op.finalizer(None, async move |op| {
            assert_eq!(op.cancellation().unwrap().reason(), Reason::Disconnected);
            finalizer.send("finalizer").map_err(|_| "nobody listens")
        });
        let _dropped = TellsOfDrop(tell.clone(), "handler");
        tell.send("begun").unwrap();
        pending::<()>().await;
    }
    for client in clients() {
        let (tell, mut told) = unbounded_channel();
        let (layer, mut ends) = heard(layer());
        let handler = async move |op: CurrentOperation| busy(&op, tell).await;
        let app = Router::new().route("/busy", get(handler)).layer(layer);
        let service = Service::start(app).await;
        leave(client, service.url("/busy"), &mut told).await;
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Cancelled);
        assert_eq!(end.name.as_deref(), Some("GET /busy"));
        assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
        // All of it is over by then, the finalizer last.
        let mut over = Vec::new();
        while let Ok(what) = told.try_recv() {
            over.push(what);
        }
        assert_eq!(over.pop(), Some("finalizer"));
        over.sort_unstable();
        assert_eq!(over, ["handler", "task", "thread"]);
    }
}

/// An app with a route for each policy, whose handlers wait to be let go.
fn app(tell: &Tell, let_go: &Arc<Notify>) -> (Router, crate::support::Ends) {
    let (outer, ends) = heard(layer());
    let handler = || {
        let (tell, let_go) = (tell.clone(), Arc::clone(let_go));
        get(async move || {
            let _over = TellsOfDrop(tell.clone(), "over");
            tell.send("begun").unwrap();
            let_go.notified().await;
            tell.send("done").unwrap();
        })
    };
    let policy = |disconnect| handler().layer(layer().disconnect(disconnect));
    let app = Router::new()
        .route("/default", handler())
        .route("/cancel", policy(Disconnect::Cancel))
        .route("/grace", policy(Disconnect::Grace(Duration::from_secs(60))))
        .route("/detach", policy(Disconnect::Detach))
        .route("/ignore", policy(Disconnect::Ignore))
        .layer(outer);
    (app, ends)
}

#[tokio::test]
async fn law_w3_what_a_client_does_that_leaves_is_chosen_for_each_route() {
    for protocol in 0..clients().len() {
        for path in ["/default", "/cancel", "/grace", "/detach", "/ignore"] {
            let (tell, mut told) = unbounded_channel();
            let let_go = Arc::new(Notify::new());
            let (app, mut ends) = app(&tell, &let_go);
            let (tell, mut left) = unbounded_channel();
            let app = app.layer(from_fn(move |request: Request, next: Next| {
                let left = TellsOfDrop(tell.clone(), "left");
                async move {
                    let _left = left;
                    next.run(request).await
                }
            }));
            let service = Service::start(app).await;
            let client = clients()[protocol].clone();
            leave(client, service.url(path), &mut told).await;
            assert_eq!(bounded(left.recv()).await, Some("left"));
            let_go.notify_one();
            let goes_on = matches!(path, "/grace" | "/detach" | "/ignore");
            if goes_on {
                assert_eq!(bounded(told.recv()).await, Some("done"), "{path}");
            }
            assert_eq!(bounded(told.recv()).await, Some("over"), "{path}");
            let end = ends.next().await;
            assert_eq!(end.name.unwrap(), format!("GET {path}"));
            let status = match goes_on {
                true => OperationStatus::Completed,
                false => OperationStatus::Cancelled,
            };
            assert_eq!(end.status, status, "{path}");
            let why = end.cancellation.map(|why| why.reason());
            let is_asked = matches!(path, "/default" | "/cancel" | "/grace");
            assert_eq!(why, is_asked.then_some(Reason::Disconnected), "{path}");
            let is_marked = end.metadata.contains_key("disconnected");
            assert_eq!(is_marked, path == "/detach", "{path}");
        }
    }
}

#[tokio::test]
async fn after_the_last_byte_nothing_is_cancelled() {
    let (layer, mut ends) = heard(layer());
    let app = Router::new()
        .route("/", get(async || "all of it"))
        .layer(layer);
    let service = Service::start(app).await;
    let mut socket = service.sent(&get_of("/")).await;
    read_until(&mut socket, "all of it").await;
    drop(socket);
    let end = ends.next().await;
    assert_eq!(
        (end.status, end.cancellation),
        (OperationStatus::Completed, None)
    );
}
