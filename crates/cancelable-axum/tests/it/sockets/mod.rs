//! WebSockets as operations, with clients of tungstenite and raw sockets.

mod closing;
mod leaving;
mod messages;
mod storm;

use axum::Router;
use axum::extract::ws::Message as Sent;
use axum::routing::any;
use cancelable::{Cancellation, Operation};
use cancelable_axum::ws::{OperationUpgrade, Socket};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{Ends, Service, bounded, notes_of_ends};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A service with one route, `/rooms/{room}`, whose WebSockets are served so; and word of how they end.
async fn serving<F, Fut>(
    plan: impl Fn(OperationUpgrade) -> OperationUpgrade + Clone + Send + Sync + 'static,
    serve: F,
) -> (Service, Ends)
where
    F: FnOnce(Socket, Operation) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Cancellation>> + Send + 'static,
{
    let (notes, ends) = notes_of_ends();
    let handler = move |upgrade: OperationUpgrade| async move {
        plan(upgrade).plan(&notes).on_upgrade(serve)
    };
    let app = Router::new().route("/rooms/{room}", any(handler));
    (Service::start(app).await, ends)
}

async fn connect(service: &Service) -> Client {
    let url = format!("ws://{}/rooms/7", service.address);
    let (client, _) = bounded(tokio_tungstenite::connect_async(url))
        .await
        .unwrap();
    client
}

/// The close frame that comes, after whatever else does.
async fn closed(client: &mut Client) -> Option<CloseFrame> {
    use futures_util::StreamExt;
    loop {
        match bounded(client.next()).await? {
            Ok(Message::Close(frame)) => {
                // The answer goes out as more is looked for.
                let _ = bounded(client.next()).await;
                return frame;
            }
            Ok(_) => {}
            Err(error) => panic!("it was cut: {error}"),
        }
    }
}

fn text(text: &str) -> Message {
    Message::text(text)
}

/// A text that the service sent or got, and nothing else.
fn said(message: &Sent) -> &str {
    match message {
        Sent::Text(text) => text.as_str(),
        other => panic!("no text: {other:?}"),
    }
}
