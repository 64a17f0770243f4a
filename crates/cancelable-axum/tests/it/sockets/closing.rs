//! What a client is told as a WebSocket ends, and how long that may take.

use std::future::pending;
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, OperationStatus, Reason};
use cancelable_axum::Shutdown;
use cancelable_axum::ws::Socket;
use futures_util::StreamExt;
use tokio::sync::mpsc::unbounded_channel;
use tokio_tungstenite::tungstenite::Message;

use super::{closed, connect, serving, text};
use crate::support::bounded;

async fn told(reason: Reason) -> (u16, String) {
    let (service, mut ends) = serving(
        |upgrade| upgrade,
        async move |_socket, op| {
            let why = Cancellation::new(reason).with_message("these words");
            assert!(op.cancel_with(why));
            pending().await
        },
    )
    .await;
    let mut client = connect(&service).await;
    let frame = closed(&mut client).await.unwrap();
    let end = ends.next().await;
    assert_eq!(end.status, OperationStatus::Cancelled, "{reason}");
    (frame.code.into(), frame.reason.to_string())
}

#[tokio::test]
async fn a_cancel_says_why_by_the_code_and_in_words() {
    for reason in Reason::ALL {
        let (code, words) = match reason {
            Reason::Shutdown | Reason::Signal => (1001, "these words"),
            Reason::Timeout => (1011, "these words"),
            Reason::Error | Reason::Dropped => (1011, "internal error"),
            _ => (1008, "these words"),
        };
        assert_eq!(told(*reason).await, (code, words.to_owned()), "{reason}");
    }
}

#[tokio::test]
async fn its_own_limit_and_a_panic_are_told_as_well() {
    let limit = Duration::from_millis(50);
    let (service, mut ends) = serving(
        move |upgrade| upgrade.timeout(limit),
        async |_socket, _| pending().await,
    )
    .await;
    let mut client = connect(&service).await;
    let frame = closed(&mut client).await.unwrap();
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (1011, "timed out after 50ms")
    );
    assert_eq!(
        ends.next().await.cancellation.unwrap().reason(),
        Reason::Timeout
    );

    let (service, mut ends) = serving(
        |upgrade| upgrade,
        async |_socket, _| panic!("with a secret"),
    )
    .await;
    let mut client = connect(&service).await;
    let frame = closed(&mut client).await.unwrap();
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (1011, "internal error")
    );
    assert_eq!(ends.next().await.status, OperationStatus::Failed);
}

#[tokio::test]
async fn words_that_do_not_fit_are_cut_between_two_letters() {
    let (service, _ends) = serving(
        |upgrade| upgrade,
        async |_socket, op| {
            op.cancel_with("ü".repeat(1000));
            pending().await
        },
    )
    .await;
    let mut client = connect(&service).await;
    let frame = closed(&mut client).await.unwrap();
    assert_eq!(frame.reason.as_str(), "ü".repeat(61));
}

#[tokio::test]
async fn law_w6_sockets_are_told_to_go_away_and_have_the_grace_for_a_last_word() {
    let shutdown = Shutdown::new().grace(Duration::from_secs(60));
    let (tell, mut running) = unbounded_channel();
    let (service, mut ends) = serving(
        {
            let shutdown = shutdown.clone();
            move |upgrade| upgrade.shutdown(&shutdown)
        },
        async move |mut socket: Socket, _| {
            tell.send(()).unwrap();
            let why = socket.recv().await.unwrap_err();
            assert_eq!(socket.send("never").await.unwrap_err(), why);
            socket.send_though_cancelled("come again at seven").await?;
            Err(why)
        },
    )
    .await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(connect(&service).await);
        bounded(running.recv()).await.unwrap();
    }
    assert!(shutdown.begin_with("closing time"));
    let finished = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.finished().await }
    });
    for client in &mut clients {
        let last = bounded(client.next()).await.unwrap().unwrap();
        assert_eq!(last, text("come again at seven"));
        // It has not ended until the client was told.
        let frame = closed(client).await.unwrap();
        assert_eq!(
            (u16::from(frame.code), frame.reason.as_str()),
            (1001, "closing time")
        );
        assert_eq!(
            ends.next().await.cancellation.unwrap().reason(),
            Reason::Shutdown
        );
    }
    let report = bounded(finished).await.unwrap();
    assert_eq!((report.asked(), report.is_clean()), (20, true), "{report}");

    // One that comes late is told at once.
    let mut late = connect(&service).await;
    let frame = closed(&mut late).await.unwrap();
    assert_eq!(u16::from(frame.code), 1001);
}

#[tokio::test]
async fn what_was_closed_by_hand_is_closed_so() {
    let (service, mut ends) = serving(
        |upgrade| upgrade,
        async |mut socket: Socket, _| {
            let reason = "as it pleases".into();
            let frame = axum::extract::ws::CloseFrame { code: 4000, reason };
            socket.close(frame).await?;
            // The client answers, and that is no disconnect.
            let answered = socket.recv().await.unwrap_err();
            assert_eq!(answered.reason(), Reason::Disconnected);
            assert!(socket.send("too late").await.is_err());
            tokio::task::yield_now().await;
            Ok(())
        },
    )
    .await;
    let mut client = connect(&service).await;
    let frame = closed(&mut client).await.unwrap();
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (4000, "as it pleases")
    );
    let end = ends.next().await;
    assert_eq!(
        (end.status, end.cancellation),
        (OperationStatus::Completed, None)
    );
}

/// A client that takes nothing, not even the close frame, holds nobody up for long.
#[tokio::test]
async fn a_client_that_does_not_answer_is_waited_for_only_so_long() {
    let (service, mut ends) = serving(
        |upgrade| upgrade,
        async |mut socket: Socket, op| {
            // Until the system's buffers are full.
            let sending = async {
                loop {
                    socket.send(vec![0; 1 << 20]).await?;
                }
            };
            let limited = Cancelable::new().timeout(Duration::from_millis(200));
            let stuck = limited.run(async |_| sending.await).await;
            let stuck: Result<(), _> = stuck.and_then(|sent| sent);
            op.cancel_with("enough");
            stuck
        },
    )
    .await;
    let client = connect(&service).await;
    let begun = std::time::Instant::now();
    let end = ends.next().await;
    assert!(
        begun.elapsed() >= Duration::from_secs(5),
        "it has so long to answer"
    );
    assert_eq!(end.status, OperationStatus::Cancelled);
    assert_eq!(end.skipped_finalizers, 0);
    drop(client);
}

/// A program that gives up on its close frame, since the client takes nothing for a while.
#[tokio::test]
async fn a_close_frame_that_was_given_up_goes_out_all_the_same() {
    // What was given up before it: a message that had begun, or one more, behind which there was no room for the frame.
    for (stuck, expected) in [(1, (4000, "as it pleases")), (2, (1008, "enough"))] {
        let (tell, mut told) = unbounded_channel();
        let (service, mut ends) = serving(
            |upgrade| upgrade,
            async move |mut socket: Socket, op| {
                let briefly = || Cancelable::new().timeout(Duration::from_millis(200));
                for _ in 0..stuck {
                    let sending = async {
                        // Until the system's buffers are full.
                        loop {
                            socket.send(vec![0; 1 << 20]).await?;
                        }
                    };
                    let outcome: Result<Result<(), Cancellation>, _> =
                        briefly().run(async |_| sending.await).await;
                    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
                }
                let reason = "as it pleases".into();
                let frame = axum::extract::ws::CloseFrame { code: 4000, reason };
                let outcome = briefly().run(async |_| socket.close(frame).await).await;
                assert!(outcome.is_err());
                op.cancel_with("enough");
                tell.send(()).unwrap();
                pending().await
            },
        )
        .await;
        let mut client = connect(&service).await;
        bounded(told.recv()).await.unwrap();
        let frame = closed(&mut client).await.expect("it is told");
        assert_eq!((u16::from(frame.code), frame.reason.as_str()), expected);
        assert_eq!(ends.next().await.status, OperationStatus::Cancelled);
    }
}

#[tokio::test]
async fn halves_send_and_receive_at_once() {
    let (service, mut ends) = serving(
        |upgrade| upgrade,
        async |socket: Socket, _| {
            let (mut sender, mut receiver) = socket.split();
            let sending = async {
                for number in 0..100 {
                    sender.send(format!("{number}")).await?;
                }
                Ok(())
            };
            let receiving = async {
                for _ in 0..100 {
                    receiver.recv().await?;
                }
                Ok(())
            };
            tokio::try_join!(sending, receiving).map(drop)
        },
    )
    .await;
    let client = connect(&service).await;
    let (mut sending, receiving) = client.split();
    let sends = async {
        use futures_util::SinkExt;
        for _ in 0..100 {
            sending.send(text("word")).await.unwrap();
        }
    };
    let texts = receiving.filter_map(async |message| match message {
        Ok(Message::Text(text)) => Some(text.to_string()),
        _ => None,
    });
    let (_, came) = bounded(async { tokio::join!(sends, texts.collect::<Vec<_>>()) }).await;
    let expected: Vec<_> = (0..100).map(|number: usize| number.to_string()).collect();
    assert_eq!(came, expected);
    assert_eq!(ends.next().await.status, OperationStatus::Completed);
}
