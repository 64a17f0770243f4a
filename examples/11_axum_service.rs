//! A web service whose requests stop when nobody waits for them: a policy for each route, streams that end with their client or by id, and a graceful shutdown.
//!
//! ```text
//! $ cargo run --example 11_axum_service
//! POST /orders: its client leaves
//! the order is placed all the same
//! the client of g-1 hears: Once upon a
//! the client of g-1 leaves
//! upstream ends; kept of g-1: Once upon a
//! the client of g-2 hears: Once upon a
//! DELETE /generations/g-2: 204
//! the client of g-2 hears: cancelled, stopped by hand
//! upstream ends; kept of g-2: Once upon a
//! DELETE /generations/g-2: 404
//! ```
//!
//! The generations come from another server, which is slow and would go on for ever: its connection closes as soon as nobody
//! wants to hear more. And as a service, until it is told to stop:
//!
//! ```text
//! $ cargo run --example 11_axum_service -- serve
//! the client of g-1 hears: Once upon a
//! ^C
//! stopping; a second signal ends the process at once, without finalizers
//! the client of g-1 hears: cancelled, received signal SIGINT (2)
//! upstream ends; kept of g-1: Once upon a
//! 1 operation was asked to stop; none is left after …
//! ```
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::Event;
use axum::routing::{get, post, put};
use cancelable::{Filter, Registry};
use cancelable_axum::{CurrentOperation, Disconnect, Shutdown, layer, sse, streaming};
use futures_util::{StreamExt, stream};
use reqwest::Client;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::sleep;

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let shutdown = Shutdown::on_signals()?;
    let (tell, mut told) = unbounded_channel();
    let (upstream, _upstream) = serve(upstream(tell.clone()), &Shutdown::new()).await?;
    let service = Service {
        client: Client::new(),
        upstream,
        registry: Registry::new(),
        kept: Arc::default(),
        tell,
    };
    let (url, serving) = serve(service.clone().app(&shutdown), &shutdown).await?;
    let mut user = User {
        url,
        client: Client::new(),
        service,
    };

    if std::env::args().any(|argument| argument == "serve") {
        let mut stream = user.listen("g-1").await?;
        user.hear_why(&mut stream, "g-1").await?;
        user.upstream_ends(&mut told, "g-1").await;
        println!("{}", shutdown.finished().await);
        serving.await?;
    } else {
        user.order_and_leave(&mut told).await?;
        let stream = user.listen("g-1").await?;
        println!("the client of g-1 leaves");
        drop(stream);
        user.upstream_ends(&mut told, "g-1").await;

        let mut stream = user.listen("g-2").await?;
        user.delete("g-2").await?;
        user.hear_why(&mut stream, "g-2").await?;
        user.upstream_ends(&mut told, "g-2").await;
        user.delete("g-2").await?;
    }
    Ok(())
}

/// What the handlers share.
#[derive(Clone)]
struct Service {
    client: Client,
    upstream: String,
    registry: Registry,
    /// What was generated, by its id.
    kept: Arc<Mutex<HashMap<String, String>>>,
    tell: UnboundedSender<&'static str>,
}

impl Service {
    fn app(self, shutdown: &Shutdown) -> Router {
        // What was ordered is to come, whoever has left meanwhile.
        let orders = post(order).layer(layer().disconnect(Disconnect::Detach));
        Router::new()
            .route("/orders", orders)
            .route("/generations/{id}", put(generate).delete(stop))
            .layer(layer().registered_in(&self.registry).shutdown(shutdown))
            .with_state(self)
    }

    fn keep(&self, id: &str, text: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(id.to_owned()).or_default().push_str(text);
    }
}

async fn order(State(service): State<Service>) -> &'static str {
    let _ = service.tell.send("order begun");
    sleep(10 * PACE).await;
    let _ = service.tell.send("the order is placed all the same");
    "placed"
}

/// Streams what the upstream generates, for as long as somebody wants to hear it.
async fn generate(
    op: CurrentOperation,
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, StatusCode> {
    op.set_metadata("generation", id.clone());
    let upstream = service.client.get(&service.upstream).send().await;
    let upstream = upstream.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let words = upstream.bytes_stream().map(move |word| {
        let word = String::from_utf8_lossy(&word?).into_owned();
        service.keep(&id, &word);
        Ok::<_, reqwest::Error>(Event::default().data(word))
    });
    Ok(sse(&op, words))
}

async fn stop(State(service): State<Service>, Path(id): Path<String>) -> StatusCode {
    let meant = Filter::new().metadata("generation", id);
    match service.registry.cancel_all(&meant, "stopped by hand").len() {
        0 => StatusCode::NOT_FOUND,
        _ => StatusCode::NO_CONTENT,
    }
}

/// A server that never stops talking, unless its connection closes.
fn upstream(tell: UnboundedSender<&'static str>) -> Router {
    let talk = async move |op: CurrentOperation| {
        let told = tell.clone();
        op.finalizer(None, async move |_| {
            told.send("upstream ends").map_err(|_| "nobody listens")
        });
        let words = stream::iter(["Once ", "upon ", "a ", "time "]).cycle();
        streaming(
            &op,
            words.then(async |word| {
                sleep(PACE).await;
                Ok::<_, Infallible>(word)
            }),
        )
    };
    Router::new().route("/", get(talk)).layer(layer())
}

/// Serves `app` until `shutdown` begins.
async fn serve(app: Router, shutdown: &Shutdown) -> Result<(String, JoinHandle<()>), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let begun = shutdown.begun();
    let serving = tokio::spawn(async {
        let serving = axum::serve(listener, app).with_graceful_shutdown(begun);
        if let Err(error) = serving.await {
            println!("the server failed: {error}");
        }
    });
    Ok((url, serving))
}

/// Whoever uses the service.
struct User {
    url: String,
    client: Client,
    service: Service,
}

impl User {
    async fn order_and_leave(&self, told: &mut UnboundedReceiver<&str>) -> Result<(), Failed> {
        // A client of its own, whose connection goes with it.
        let request = Client::new().post(format!("{}/orders", self.url)).send();
        tokio::select! {
            answer = request => return Err(format!("so soon: {answer:?}").into()),
            _ = told.recv() => println!("POST /orders: its client leaves"),
        }
        println!("{}", told.recv().await.unwrap_or_default());
        Ok(())
    }

    /// Begins a generation, and hears the first three words of it.
    async fn listen(&mut self, id: &str) -> Result<reqwest::Response, Failed> {
        let url = format!("{}/generations/{id}", self.url);
        let mut stream = Client::new().put(url).send().await?;
        let mut heard = Vec::new();
        while heard.len() < 3 {
            let event = stream.chunk().await?.ok_or("it ended")?;
            let event = String::from_utf8_lossy(&event).into_owned();
            let words = event.lines().filter_map(|line| line.strip_prefix("data: "));
            heard.extend(words.map(|word| word.trim().to_owned()));
        }
        println!("the client of {id} hears: {}", heard[..3].join(" "));
        Ok(stream)
    }

    /// Hears the rest of it, and why there is no more.
    async fn hear_why(&self, stream: &mut reqwest::Response, id: &str) -> Result<(), Failed> {
        let mut rest = String::new();
        while let Some(event) = stream.chunk().await? {
            rest.push_str(&String::from_utf8_lossy(&event));
        }
        let (_, why) = rest
            .split_once("event: cancelled\ndata: ")
            .ok_or("nobody said why")?;
        println!("the client of {id} hears: cancelled, {}", why.trim());
        Ok(())
    }

    async fn upstream_ends(&self, told: &mut UnboundedReceiver<&str>, id: &str) {
        let what = told.recv().await.unwrap_or_default();
        let kept = self.service.kept.lock();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        let words: Vec<_> = kept[id].split_whitespace().take(3).collect();
        println!("{what}; kept of {id}: {}", words.join(" "));
    }

    async fn delete(&self, id: &str) -> Result<(), Failed> {
        let url = format!("{}/generations/{id}", self.url);
        let answer = self.client.delete(url).send().await?;
        println!("DELETE /generations/{id}: {}", answer.status().as_u16());
        Ok(())
    }
}

/// How long the upstream thinks before each word.
const PACE: Duration = Duration::from_millis(10);
