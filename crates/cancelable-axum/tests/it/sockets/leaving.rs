//! W2 and W3 for WebSockets: a client that closes or vanishes ends its operation, or what else was chosen for it.

use std::future::pending;
use std::time::Duration;

use axum::extract::ws::Message as Sent;
use cancelable::{OperationStatus, Reason};
use cancelable_axum::Disconnect;
use cancelable_axum::ws::Socket;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::unbounded_channel;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::{MaybeTlsStream, tungstenite::Message};

use super::{Client, closed, connect, said, serving, text};
use crate::support::{TellsOfDrop, bounded, read_until};

/// The ways in which a client leaves.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    Closes,
    HangsUp,
    Resets,
    BreaksTheProtocol,
}

async fn leave(mut client: Client, how: Leaving) {
    match how {
        Leaving::Closes => {
            let (code, reason) = (CloseCode::Normal, "had enough".into());
            client
                .close(Some(CloseFrame { code, reason }))
                .await
                .unwrap();
            // The answer to it comes, and it is the client's own code.
            let frame = closed(&mut client).await.unwrap();
            assert_eq!(frame.code, CloseCode::Normal);
        }
        Leaving::HangsUp => drop(client),
        Leaving::Resets => {
            let MaybeTlsStream::Plain(socket) = client.get_ref() else {
                unreachable!("it is not encrypted");
            };
            socket.set_zero_linger().unwrap();
            drop(client);
        }
        Leaving::BreaksTheProtocol => {
            let MaybeTlsStream::Plain(socket) = client.get_mut() else {
                unreachable!("it is not encrypted");
            };
            socket.write_all(&[0xff; 64]).await.unwrap();
            // Until the service has closed it.
            while let Some(Ok(_)) = bounded(client.next()).await {}
        }
    }
}

const WAYS: [Leaving; 4] = [
    Leaving::Closes,
    Leaving::HangsUp,
    Leaving::Resets,
    Leaving::BreaksTheProtocol,
];

#[tokio::test]
async fn law_w2_a_client_that_leaves_cancels_though_nobody_receives() {
    for how in WAYS {
        let (tell, mut told) = unbounded_channel();
        let (service, mut ends) = serving(
            |upgrade| upgrade,
            async move |_socket, _| {
                let _dropped = TellsOfDrop(tell, "dropped");
                pending().await
            },
        )
        .await;
        let client = connect(&service).await;
        leave(client, how).await;
        assert_eq!(bounded(told.recv()).await, Some("dropped"), "{how:?}");
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Cancelled, "{how:?}");
        let why = end.cancellation.unwrap();
        assert_eq!(why.reason(), Reason::Disconnected, "{how:?}");
        assert!(
            why.message().starts_with("the client has disconnected"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn law_w2_who_receives_or_sends_hears_of_it_after_what_came_before() {
    for how in WAYS {
        let (tell, mut told) = unbounded_channel();
        let (service, mut ends) = serving(
            |upgrade| upgrade,
            async move |mut socket: Socket, _| {
                let why = loop {
                    match socket.recv().await {
                        Ok(message) => tell.send(said(&message).to_owned()).unwrap(),
                        Err(why) => break why,
                    }
                };
                let reason = socket.close_frame().map(|frame| frame.reason.to_string());
                tell.send(reason.unwrap_or_default()).unwrap();
                assert_eq!(socket.send("too late").await.unwrap_err(), why);
                assert!(socket.send_though_cancelled("too late").await.is_err());
                Err(why)
            },
        )
        .await;
        let mut client = connect(&service).await;
        client.feed(text("one")).await.unwrap();
        client.feed(text("two")).await.unwrap();
        client.flush().await.unwrap();
        leave(client, how).await;
        // What a reset throws away in the system's buffers nobody can receive.
        if !matches!(how, Leaving::Resets) {
            assert_eq!(bounded(told.recv()).await.unwrap(), "one", "{how:?}");
            assert_eq!(bounded(told.recv()).await.unwrap(), "two", "{how:?}");
            let said = match how {
                Leaving::Closes => "had enough",
                _ => "",
            };
            assert_eq!(bounded(told.recv()).await.unwrap(), said, "{how:?}");
        }
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Cancelled, "{how:?}");
        assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
    }
}

#[tokio::test]
async fn law_w3_what_a_client_does_that_closes_is_chosen() {
    let policies = [
        Disconnect::Grace(Duration::from_secs(60)),
        Disconnect::Detach,
        Disconnect::Ignore,
    ];
    for policy in policies {
        let (service, mut ends) = serving(
            move |upgrade| upgrade.disconnect(policy),
            async move |mut socket: Socket, op| {
                let why = loop {
                    if let Err(why) = socket.recv().await {
                        break why;
                    }
                };
                assert_eq!(why.reason(), Reason::Disconnected);
                let is_asked = matches!(policy, Disconnect::Grace(_));
                assert_eq!(op.is_cancelled(), is_asked, "{policy:?}");
                // It has all the time that it needs.
                tokio::task::yield_now().await;
                Ok(())
            },
        )
        .await;
        let client = connect(&service).await;
        leave(client, Leaving::Closes).await;
        let end = ends.next().await;
        assert_eq!(end.status, OperationStatus::Completed, "{policy:?}");
        let is_marked = end.metadata.contains_key("disconnected");
        assert_eq!(is_marked, policy == Disconnect::Detach, "{policy:?}");
    }
}

/// A client that sends a part of a frame and then nothing is still there; one that goes away then is not.
#[tokio::test]
async fn law_w2_a_client_that_leaves_in_the_middle_of_a_frame_cancels() {
    let (service, mut ends) = serving(
        |upgrade| upgrade,
        async |mut socket: Socket, _| {
            socket.send(Sent::text("hello")).await?;
            pending().await
        },
    )
    .await;
    let mut socket = service
        .sent(
            "GET /rooms/7 HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
    read_until(&mut socket, "hello").await;
    // The head of a text of five bytes, the mask, and two of the bytes.
    socket
        .write_all(&[0x81, 0x85, 1, 2, 3, 4, 105, 103])
        .await
        .unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(ends.is_empty());
    drop(socket);
    let end = ends.next().await;
    assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_it() {
    let (service, mut ends) = serving(
        |upgrade| upgrade.configure(|upgrade| upgrade.max_message_size(1000)),
        async |_socket, _| pending().await,
    )
    .await;
    let mut client = connect(&service).await;
    client.send(Message::binary(vec![0; 2000])).await.unwrap();
    let why = ends.next().await.cancellation.unwrap();
    assert_eq!(why.reason(), Reason::Disconnected);
    assert!(
        why.message().len() > "the client has disconnected: ".len(),
        "{why}"
    );
}
