//! A service that asks another one, which may ask another: each has a little less time than the one before, and all of them stop when
//! nobody waits for the first.
//!
//! ```text
//! cargo run --example relay                                           # the last: works until it is stopped
//! cargo run --example relay -- --next http://127.0.0.1:PORT/work      # asks that one
//! curl -H 'x-cancelable-timeout-ms: 2000' http://127.0.0.1:PORT/work  # 504 after two seconds, or Ctrl-C
//! curl -X DELETE http://127.0.0.1:PORT/work                           # stops what it does, and so all behind it
//! ```
//!
//! Each says on standard output where it listens, how much time is left when a request begins, and how each ended.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::error::Error;
use std::future;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use cancelable::{Cancelable, Filter, Operation, OperationContext, Registry};
use cancelable_http::{
    Answer, CallCancelled, CancelableLayer, DeadlineHeaders, DeadlineMiddleware,
};
use clap::Parser;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::net::TcpListener;

#[derive(Parser)]
#[command(about = "Asks the next service, and stops when nobody waits")]
struct Options {
    /// The address of the service to ask; without one it works by itself, for as long as it is let.
    #[arg(long, value_name = "URL")]
    next: Option<String>,

    /// How long a request may take, whatever its client says.
    #[arg(long, default_value = "60s", value_name = "TIME")]
    timeout: humantime::Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let requests = CancelableLayer::new()
        .timeout(options.timeout.into())
        // A client may have less time than that, but not so little that nothing can come of it.
        .deadline_headers(DeadlineHeaders::own().at_least(Duration::from_millis(5)))
        .registered()
        .plan(|operation, _| watched(operation));
    let next = options.next.map(Next::at);
    let service = Router::new()
        .route("/work", get(work).layer(requests))
        .route("/work", delete(stop))
        .with_state(next);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}/work", listener.local_addr()?);
    axum::serve(listener, service).await?;
    Ok(())
}

async fn work(State(next): State<Option<Next>>) -> Response {
    let remaining = Operation::current().and_then(|operation| operation.remaining());
    if let Some(remaining) = remaining {
        println!("begun, {:.6} s left", remaining.as_secs_f64());
    }
    match next {
        Some(next) => next.ask().await,
        None => future::pending().await,
    }
}

async fn stop() -> String {
    let filter = Filter::new().exact_name("GET /work");
    let stopped = Registry::global().cancel_all(&filter, "not needed any more");
    format!("{} stopped\n", stopped.len())
}

/// The service behind this one.
#[derive(Clone)]
struct Next {
    client: ClientWithMiddleware,
    url: String,
}

impl Next {
    fn at(url: String) -> Self {
        let client = ClientBuilder::new(reqwest::Client::new())
            .with(DeadlineMiddleware::new())
            .build();
        Self { client, url }
    }

    /// Its answer is ours. What it is told of our deadline is the middleware's affair, and that it hears of a cancel, too.
    async fn ask(&self) -> Response {
        let asked = async {
            let answer = self.client.get(&self.url).send().await?;
            let status = answer.status();
            Ok::<_, reqwest_middleware::Error>((status, answer.text().await?).into_response())
        };
        asked
            .await
            .unwrap_or_else(|error| match CallCancelled::find(&error) {
                Some(ended) => Answer::to(ended.cancellation()).into_response(),
                None => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
            })
    }
}

/// Has an operation say how it ended.
fn watched(operation: Cancelable) -> Cancelable {
    let ended = |context: &OperationContext| match &context.cancellation {
        Some(why) => println!("cancelled, {:?}: {why}", why.reason()),
        None => println!("{:?}", context.status),
    };
    operation
        .on_complete(ended)
        .on_cancel(ended)
        .on_error(ended)
}
