//! What the tests share: a service on a port of its own, clients of both protocols, and word of how operations end.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use cancelable::{Cancelable, OperationContext};
use cancelable_axum::{CancelableLayer, Shutdown};
use reqwest::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A service that listens until this is dropped.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) serving: JoinHandle<()>,
}

impl Service {
    pub(crate) async fn start(app: Router) -> Self {
        Self::until(app, &Shutdown::new()).await
    }

    /// One that stops accepting as `shutdown` begins.
    pub(crate) async fn until(app: Router, shutdown: &Shutdown) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let begun = shutdown.begun();
        let serving = tokio::spawn(async {
            let serve = axum::serve(listener, app).with_graceful_shutdown(begun);
            serve.await.unwrap();
        });
        Self { address, serving }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A connection on which this request was written, as it is.
    pub(crate) async fn sent(&self, request: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        socket
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A client of each protocol.
pub(crate) fn clients() -> [Client; 2] {
    let two = Client::builder().http2_prior_knowledge().build();
    [Client::new(), two.unwrap()]
}

/// The text of the answer, unless it is cut.
pub(crate) async fn whole_text(client: &Client, url: String) -> Option<String> {
    let response = bounded(client.get(url).send()).await.ok()?;
    bounded(response.text()).await.ok()
}

/// A layer that tells how its operations end.
pub(crate) fn heard(layer: CancelableLayer) -> (CancelableLayer, Ends) {
    let (notes, ends) = notes_of_ends();
    (layer.plan(move |plan, _| notes(plan)), ends)
}

/// What has a plan tell how its operation ends.
pub(crate) fn notes_of_ends() -> (
    impl Fn(Cancelable) -> Cancelable + Clone + Send + Sync,
    Ends,
) {
    let (tell, told) = unbounded_channel();
    let notes = move |plan: Cancelable| {
        let note = |tell: UnboundedSender<OperationContext>| {
            move |end: &OperationContext| drop(tell.send(end.clone()))
        };
        plan.on_complete(note(tell.clone()))
            .on_cancel(note(tell.clone()))
            .on_error(note(tell.clone()))
    };
    (notes, Ends(told))
}

/// How operations ended, in that order.
pub(crate) struct Ends(UnboundedReceiver<OperationContext>);

impl Ends {
    pub(crate) async fn next(&mut self) -> OperationContext {
        bounded(self.0.recv()).await.unwrap()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Tells when it is dropped.
pub(crate) struct TellsOfDrop(
    pub(crate) UnboundedSender<&'static str>,
    pub(crate) &'static str,
);

impl Drop for TellsOfDrop {
    fn drop(&mut self) {
        let _ = self.0.send(self.1);
    }
}

/// Reads until this text has come, and gives all that came.
pub(crate) async fn read_until(socket: &mut TcpStream, text: &str) -> String {
    let mut all = Vec::new();
    loop {
        let so_far = String::from_utf8_lossy(&all);
        if so_far.contains(text) {
            return so_far.into_owned();
        }
        let count = bounded(socket.read_buf(&mut all)).await.unwrap();
        assert!(
            count > 0,
            "it ended before: {}",
            String::from_utf8_lossy(&all)
        );
    }
}

/// All that comes until the other side closes.
pub(crate) async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut all = Vec::new();
    bounded(socket.read_to_end(&mut all)).await.unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

/// Waits for an event, which comes or the test fails.
pub(crate) async fn bounded<F: Future>(event: F) -> F::Output {
    timeout(PATIENCE, event).await.expect("it comes in time")
}

/// A request that keeps its connection, and one that does not.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

const PATIENCE: Duration = Duration::from_secs(20);
