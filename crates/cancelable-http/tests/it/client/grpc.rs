//! tonic's client and server through the layer, over real sockets, with a codec written by hand.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BufMut};
use cancelable::{Cancelable, Operation, Reason};
use cancelable_http::{
    CallCancelled, CancelableLayer, DeadlineHeader, DeadlineHeaders, DeadlineLayer, DeadlineService,
};
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, server};
use tower::{ServiceBuilder, service_fn};

use super::bounded;

type Client = tonic::client::Grpc<DeadlineService<Channel>>;

#[tokio::test]
async fn law_x1_a_grpc_deadline_shrinks_from_hop_to_hop() {
    // The last service answers with what it was told, the first with that and its own.
    let last = serve(tell);
    let first = serve(move |request| async move {
        let mut client = client(last).await;
        let below = ask(&mut client, "what is left?").await?;
        Ok(Response::new(format!("{} {below}", said(&request))))
    });
    let limit = Duration::from_secs(40);
    let answer = Cancelable::new().timeout(limit).run(async |_| {
        let mut client = client(first).await;
        ask(&mut client, "what is left?").await
    });
    let answer = bounded(answer).await.unwrap().unwrap();
    let told = answer.split(' ');
    let told = told.map(|told| DeadlineHeader::Grpc.parse(told.as_bytes()).unwrap());
    let [first, last] = told.collect::<Vec<_>>()[..] else {
        panic!("not told by both: {answer}");
    };
    assert!(limit >= first && first > last, "{answer}");
    assert!(last > limit / 2, "{answer}");
}

#[tokio::test]
async fn a_cancel_of_the_client_ends_the_handler_of_the_server() {
    let (events, mut heard) = mpsc::unbounded_channel();
    let server = serve(move |_| never(events.clone()));
    let outcome = Cancelable::new()
        .grace(Duration::from_secs(60))
        .run(async |op| {
            let mut client = client(server).await;
            let cancel = async {
                assert_eq!(heard.recv().await, Some("begun".to_owned()));
                op.cancel_with(Reason::Shutdown);
            };
            let (answer, ()) = tokio::join!(ask(&mut client, "wait"), cancel);
            // The connection stays, and so does the operation: only the call is over.
            assert_eq!(
                heard.recv().await,
                Some("dropped, Some(Disconnected)".to_owned())
            );
            answer.unwrap_err()
        });
    let status = bounded(outcome).await.unwrap();
    let why = CallCancelled::find(&status).expect("it is the source of the status");
    assert!(why.was_sent());
    assert_eq!(why.cancellation().reason(), Reason::Shutdown);
    let (code, message) = match cfg!(feature = "tonic") {
        true => (Code::Cancelled, "shutting down"),
        false => (Code::Unknown, "call given up: shutting down"),
    };
    assert_eq!((status.code(), status.message()), (code, message));
}

#[tokio::test]
async fn an_operation_that_is_dropped_ends_the_handler_of_the_server() {
    let (events, mut heard) = mpsc::unbounded_channel();
    let server = serve(move |_| never(events.clone()));
    let mut client = client(server).await;
    let run = Cancelable::new().run(async |_| ask(&mut client, "wait").await);
    tokio::select! {
        _ = run => unreachable!("nobody answers"),
        begun = heard.recv() => assert_eq!(begun, Some("begun".to_owned())),
    }
    assert_eq!(
        bounded(heard.recv()).await,
        Some("dropped, Some(Disconnected)".to_owned())
    );
}

#[tokio::test]
async fn tonics_own_timeout_is_kept_where_it_is_smaller() {
    let server = serve(tell);
    let outcome = Cancelable::new()
        .timeout(Duration::from_secs(60))
        .run(async |_| {
            let mut client = client(server).await;
            let mut request = Request::new("what is left?".to_owned());
            request.set_timeout(Duration::from_secs(30));
            send(&mut client, request).await
        });
    assert_eq!(bounded(outcome).await.unwrap().unwrap(), "30000000u");
}

/// A service whose requests are operations, and that answers with `handler`, on a port of its own, until the runtime of the test is
/// gone.
fn serve<H, F>(handler: H) -> SocketAddr
where
    H: Fn(Request<String>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<String>, Status>> + Send + 'static,
{
    serve_as(CancelableLayer::new(), handler)
}

/// The same with these operations.
pub(super) fn serve_as<H, F>(requests: CancelableLayer, handler: H) -> SocketAddr
where
    H: Fn(Request<String>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Response<String>, Status>> + Send + 'static,
{
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = service_fn(move |request| {
        let handler = service_fn(handler.clone());
        async move { Ok::<_, Infallible>(server::Grpc::new(Text).unary(handler, request).await) }
    });
    let requests = requests.deadline_headers(DeadlineHeaders::none().grpc());
    // Calls that are given up at once would be taken for an attack.
    let server = Server::builder().http2_max_pending_accept_reset_streams(Some(10_000));
    let server = server.layer(requests);
    tokio::spawn(server.serve_with_incoming(service, incoming));
    address
}

pub(super) async fn client(server: SocketAddr) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{server}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    let channel = ServiceBuilder::new()
        .layer(DeadlineLayer::grpc())
        .service(channel);
    Client::new(channel)
}

pub(super) async fn ask(client: &mut Client, question: &str) -> Result<String, Status> {
    send(client, Request::new(question.to_owned())).await
}

async fn send(client: &mut Client, request: Request<String>) -> Result<String, Status> {
    client.ready().await.map_err(Status::from_error)?;
    let path = PathAndQuery::from_static("/test.Test/Ask");
    let answer = client.unary(request, path, Text).await?;
    Ok(answer.into_inner())
}

/// A handler that answers with what it was told of its deadline.
async fn tell(request: Request<String>) -> Result<Response<String>, Status> {
    Ok(Response::new(said(&request)))
}

/// A handler that never answers, and says when it begins, and why it is dropped.
async fn never(events: mpsc::UnboundedSender<String>) -> Result<Response<String>, Status> {
    let operation = Operation::current().unwrap();
    events.send("begun".to_owned()).unwrap();
    let _dropped = TellsOfDrop { events, operation };
    pending().await
}

struct TellsOfDrop {
    events: mpsc::UnboundedSender<String>,
    operation: Operation,
}

impl Drop for TellsOfDrop {
    fn drop(&mut self) {
        let why = self.operation.cancellation().map(|why| why.reason());
        // A test that is over does not listen any more.
        let _ = self.events.send(format!("dropped, {why:?}"));
    }
}

/// What a server was told of its deadline.
fn said(request: &Request<String>) -> String {
    let said = request.metadata().get("grpc-timeout");
    said.map_or_else(
        || "nothing".to_owned(),
        |said| said.to_str().unwrap().to_owned(),
    )
}

/// Messages that are plain text.
#[derive(Clone, Copy)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        String::from_utf8(bytes.into())
            .map(Some)
            .map_err(|_| Status::internal("no text"))
    }
}
