//! What goes through a WebSocket: whole, in order, and no more of it read ahead than so much.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::Message as Sent;
use axum::routing::any;
use cancelable::{OperationStatus, Reason};
use cancelable_axum::ws::{OperationUpgrade, READ_AHEAD, Socket};
use cancelable_axum::{CurrentOperation, layer};
use futures_util::{SinkExt, StreamExt, future};
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{closed, connect, said, serving, text};
use crate::support::{Service, bounded, heard, notes_of_ends};

#[tokio::test]
async fn it_is_named_by_its_route_and_sends_what_it_receives() {
    let (service, mut ends) = serving(
        |upgrade| upgrade.configure(|upgrade| upgrade.protocols(["chat"])),
        async |mut socket, op| {
            assert_eq!(op.name(), Some("WS /rooms/{room}"));
            assert_eq!(cancelable::Operation::current().unwrap().id(), op.id());
            assert!(op.context().parent_id.is_none());
            assert_eq!(socket.protocol(), None);
            for _ in 0..3 {
                let message = socket.recv().await?;
                socket.send(message).await?;
            }
            Ok(())
        },
    )
    .await;
    let mut client = connect(&service).await;
    for message in [text("one"), Message::binary(vec![0; 100_000]), text("")] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(bounded(client.next()).await.unwrap().unwrap(), message);
    }
    let frame = closed(&mut client).await.unwrap();
    assert_eq!(u16::from(frame.code), 1000);
    let end = ends.next().await;
    assert_eq!(
        (end.status, end.cancellation),
        (OperationStatus::Completed, None)
    );
}

#[tokio::test]
async fn behind_the_layer_the_request_is_over_as_the_socket_begins() {
    let (layer, mut requests) = heard(layer().timeout(Duration::from_secs(60)));
    let (notes, mut sockets) = notes_of_ends();
    let handler = move |request: CurrentOperation, upgrade: OperationUpgrade| async move {
        let upgrade = upgrade.plan(&notes);
        upgrade.on_upgrade(async move |mut socket, op| {
            assert_ne!(op.id(), request.id());
            assert_eq!(op.remaining(), None);
            let message = socket.recv().await?;
            socket.send(message).await
        })
    };
    let app = Router::new().route("/rooms/{room}", any(handler));
    let service = Service::start(app.layer(layer)).await;
    let mut client = connect(&service).await;
    let request = requests.next().await;
    assert_eq!(request.name.as_deref(), Some("GET /rooms/{room}"));
    assert_eq!(
        (request.status, request.cancellation),
        (OperationStatus::Completed, None)
    );
    client.send(text("still here")).await.unwrap();
    let echoed = bounded(client.next()).await.unwrap().unwrap();
    assert_eq!(echoed, text("still here"));
    assert!(closed(&mut client).await.is_some());
    let end = sockets.next().await;
    assert_eq!(end.name.as_deref(), Some("WS /rooms/{room}"));
    assert_eq!(end.status, OperationStatus::Completed);
}

#[tokio::test]
async fn pings_are_answered_though_nobody_receives() {
    let done = Arc::new(Notify::new());
    let (service, mut ends) = serving(|upgrade| upgrade, {
        let done = Arc::clone(&done);
        async move |mut socket: Socket, _| {
            done.notified().await;
            // It was given to whoever receives as well.
            let ping = socket.recv().await?;
            assert!(matches!(ping, Sent::Ping(data) if data == "are you there"));
            Ok(())
        }
    })
    .await;
    let mut client = connect(&service).await;
    client
        .send(Message::Ping("are you there".into()))
        .await
        .unwrap();
    let pong = bounded(client.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));
    done.notify_one();
    assert!(closed(&mut client).await.is_some());
    assert_eq!(ends.next().await.status, OperationStatus::Completed);
}

#[tokio::test]
async fn law_w2_any_number_of_pings_hides_no_client_that_leaves() {
    let receive = Arc::new(Notify::new());
    let (tell, mut told) = unbounded_channel();
    let (service, mut ends) = serving(|upgrade| upgrade, {
        let receive = Arc::clone(&receive);
        async move |mut socket: Socket, _| {
            receive.notified().await;
            for _ in 0..4 {
                tell.send(socket.recv().await?).unwrap();
            }
            std::future::pending().await
        }
    })
    .await;
    let (mut sending, mut receiving) = connect(&service).await.split();
    // Ten times what is read ahead.
    let number = 10 * READ_AHEAD / 125;
    let payload = |n: usize| format!("{n:0125}");
    let sends = async {
        sending.send(text("before")).await.unwrap();
        for n in 0..=number {
            sending.send(Message::Pong("unasked".into())).await.unwrap();
            sending
                .send(Message::Ping(payload(n).into()))
                .await
                .unwrap();
        }
        sending.send(text("after")).await.unwrap();
    };
    let answered = async {
        let last = Message::Pong(payload(number).into());
        while receiving.next().await.unwrap().unwrap() != last {}
    };
    bounded(async { tokio::join!(sends, answered) }).await;
    // There is one of each, and they are where they were.
    receive.notify_one();
    let mut next = async || bounded(told.recv()).await.unwrap();
    assert_eq!(said(&next().await), "before");
    assert_eq!(next().await, Sent::Pong("unasked".into()));
    assert_eq!(next().await, Sent::Ping(payload(number).into()));
    assert_eq!(said(&next().await), "after");
    drop((sending, receiving));
    let end = ends.next().await;
    assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
}

#[tokio::test]
async fn law_w2_without_a_receiver_no_message_hides_a_client_that_leaves() {
    let let_go = Arc::new(Notify::new());
    let (service, mut ends) = serving(|upgrade| upgrade, {
        let let_go = Arc::clone(&let_go);
        async move |socket: Socket, _| {
            let (_sender, receiver) = socket.split();
            let_go.notified().await;
            drop(receiver);
            std::future::pending().await
        }
    })
    .await;
    let (mut sending, mut receiving) = connect(&service).await.split();
    for n in 0..20 {
        let message = text(&"x".repeat(READ_AHEAD / 2));
        bounded(sending.send(message)).await.unwrap();
        // What lies there as it goes is thrown away, and so is what comes after that.
        if n == 10 {
            let_go.notify_one();
        }
    }
    sending.send(Message::Ping("read?".into())).await.unwrap();
    let answer = bounded(receiving.next()).await.unwrap().unwrap();
    assert_eq!(answer, Message::Pong("read?".into()));
    drop((sending, receiving));
    let end = ends.next().await;
    assert_eq!(end.cancellation.unwrap().reason(), Reason::Disconnected);
}

/// Messages of every length, for a service that receives now and then and gives up on it now and then.
#[tokio::test]
async fn law_w1_no_message_is_lost_or_changes_its_place() {
    const MESSAGES: usize = 3000;
    let (tell, mut told) = unbounded_channel();
    let (service, mut ends) = serving(
        |upgrade| upgrade,
        async move |mut socket: Socket, _| {
            let mut received = 0;
            while received < MESSAGES {
                // A receive that is dropped takes nothing.
                let message = match received % 3 {
                    0 => future::poll_immediate(pin!(socket.recv())).await,
                    _ => Some(socket.recv().await),
                };
                let Some(message) = message else {
                    tokio::task::yield_now().await;
                    continue;
                };
                tell.send(said(&message?).to_owned()).unwrap();
                received += 1;
            }
            Ok(())
        },
    )
    .await;
    let mut client = connect(&service).await;
    let message = |number: usize| format!("{number} {}", "x".repeat(number * 7919 % 2000));
    let sending = async {
        for number in 0..MESSAGES {
            client.send(text(&message(number))).await.unwrap();
        }
    };
    let receiving = async {
        for number in 0..MESSAGES {
            assert_eq!(bounded(told.recv()).await.unwrap(), message(number));
        }
    };
    tokio::join!(sending, receiving);
    assert!(closed(&mut client).await.is_some());
    assert_eq!(ends.next().await.status, OperationStatus::Completed);
}

#[tokio::test]
async fn law_w1_no_more_is_read_ahead_than_so_much() {
    let done = Arc::new(Notify::new());
    let (tell, mut told) = unbounded_channel();
    let (service, _ends) = serving(|upgrade| upgrade, {
        let done = Arc::clone(&done);
        async move |mut socket: Socket, _| {
            done.notified().await;
            loop {
                let message = socket.recv().await?;
                tell.send(said(&message).len()).unwrap();
            }
        }
    })
    .await;
    let mut client = connect(&service).await;
    // What the system's buffers have room for comes on top: some megabytes.
    const ONE: usize = READ_AHEAD / 4;
    const MANY: usize = 2048;
    let mut sent = 0;
    let held_up = loop {
        assert!(sent < MANY, "32 MiB went to somebody who does not receive");
        let sending = client.send(text(&"x".repeat(ONE)));
        if timeout(Duration::from_secs(1), sending).await.is_err() {
            break sent;
        }
        sent += 1;
    };
    assert!(told.is_empty());
    done.notify_one();
    let (mut sending, mut receiving) = client.split();
    // It answers nothing; but what it sends must be looked for, or it is not sent.
    let looking = tokio::spawn(async move { while receiving.next().await.is_some() {} });
    for _ in 0..10 {
        bounded(sending.send(text(&"x".repeat(ONE)))).await.unwrap();
    }
    // The one that was held up may have gone out in part, and is whole all the same.
    for _ in 0..held_up + 10 {
        assert_eq!(bounded(told.recv()).await.unwrap(), ONE);
    }
    looking.abort();
}
