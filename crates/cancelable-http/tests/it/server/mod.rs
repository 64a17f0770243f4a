//! A layer that runs requests as operations: on real servers, with real clients and raw sockets, and called in process.

mod answers;
mod bodies;
mod broken;
mod disconnects;
mod hostile;
mod in_process;
mod kept;
mod owing;
mod policies;
mod stalled;
mod storm;
mod uploads;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use cancelable::{Cancelable, OperationContext};
use cancelable_http::{CancelableLayer, RequestBody};
use futures_util::{Stream, StreamExt, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tower::{Layer, service_fn};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of a request, as handlers behind the layer get it.
type Uploaded = RequestBody<Incoming>;
type Answered = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// What happens on loopback is quick, or never happens.
async fn bounded<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(20);
    timeout(limit, future).await.expect("it does not hang")
}

/// How operations ended, in order.
type Ends = mpsc::UnboundedReceiver<OperationContext>;

/// A layer that tells of the end of each operation.
fn heard(layer: CancelableLayer) -> (CancelableLayer, Ends) {
    let (tell, ends) = mpsc::unbounded_channel();
    let layer = layer.plan(move |plan, _| tells_its_end(plan, &tell));
    (layer, ends)
}

fn tells_its_end(plan: Cancelable, tell: &mpsc::UnboundedSender<OperationContext>) -> Cancelable {
    let end = || {
        let tell = tell.clone();
        // A test that is over does not listen any more.
        move |context: &OperationContext| drop(tell.send(context.clone()))
    };
    plan.on_complete(end()).on_cancel(end()).on_error(end())
}

/// The next end; all of it within bounds.
async fn end(ends: &mut Ends) -> OperationContext {
    bounded(ends.recv()).await.expect("the layer lives")
}

/// A server on loopback, for HTTP/1.1 and HTTP/2, until this is dropped.
struct Server {
    address: SocketAddr,
    accepting: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves `handler` behind `layer`.
async fn serve<F, Fut>(layer: CancelableLayer, handler: F) -> Server
where
    F: Fn(Request<Uploaded>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answered> + Send + 'static,
{
    let service = layer.layer(service_fn(move |request| {
        let response = handler(request);
        async move { Ok::<_, Infallible>(response.await) }
    }));
    serve_service(service).await
}

/// Serves what may lie behind any layers.
async fn serve_service<S, B>(service: S) -> Server
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: hyper::body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // It fails where a client vanishes.
                let _ = server.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    Server {
        address,
        accepting: accepting.abort_handle(),
    }
}

/// A connection of HTTP/1.1 that has sent this.
async fn sent(server: &Server, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// Reads until this has come, and gives all of it.
async fn read_until(socket: &mut TcpStream, wanted: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(wanted) {
            let mut some = [0; 4096];
            let n = socket.read(&mut some).await.unwrap();
            assert!(
                n > 0,
                "the server closed after {:?}",
                String::from_utf8_lossy(&read)
            );
            read.extend_from_slice(&some[..n]);
        }
    };
    bounded(reading).await;
    String::from_utf8(read).unwrap()
}

/// All that comes until the server closes or cuts the connection.
async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    // A connection that is reset has ended, too.
    let _ = bounded(socket.read_to_end(&mut read)).await;
    String::from_utf8_lossy(&read).into_owned()
}

const GET: &str = "GET /path?query HTTP/1.1\r\nhost: here\r\n\r\n";

/// A response of which all is there.
fn text(text: impl Into<Bytes>) -> Answered {
    Response::new(
        Full::new(text.into())
            .map_err(|never| match never {})
            .boxed_unsync(),
    )
}

/// A response of whose length nobody knows.
fn streamed(items: impl Stream<Item = Bytes> + Send + 'static) -> Answered {
    let frames = items.map(|data| Ok(Frame::data(data)));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

/// One frame, and then never another.
fn stalled(first: &'static str, held: impl Send + 'static) -> Answered {
    let first = stream::iter([Bytes::from_static(first.as_bytes())]);
    let rest = stream::once(async move {
        let _held = held;
        std::future::pending().await
    });
    streamed(first.chain(rest))
}

/// Says so when it is dropped.
struct TellsOfDrop(mpsc::UnboundedSender<&'static str>, &'static str);

impl Drop for TellsOfDrop {
    fn drop(&mut self) {
        let _ = self.0.send(self.1);
    }
}
