//! Sockets whose clients leave in all ways and at any moment, on several threads: each operation ends once, and nothing is left.

use std::time::Duration;

use axum::extract::ws::Message as Sent;
use cancelable::{Filter, Registry};
use cancelable_axum::ws::Socket;
use futures_util::{SinkExt, StreamExt, future};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;

use super::{Client, connect, serving, text};
use crate::support::bounded;

/// How many clients there are, some of them at once.
const CLIENTS: u64 = 300;
const AT_ONCE: usize = 16;

/// The task that accepts, and the one in which axum waits for the shutdown.
const OF_THE_SERVICE: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_sockets_ends_once_and_leaves_nothing_hammer() {
    let registry = Registry::new();
    let (service, mut ends) = serving(
        {
            let registry = registry.clone();
            move |upgrade| upgrade.plan(|plan| plan.registered_in(&registry))
        },
        async |mut socket: Socket, op| {
            let mut received = 0_u32;
            loop {
                let message = socket.recv().await?;
                received += 1;
                if received.is_multiple_of(5) {
                    // Work that nobody receives beside.
                    let nap = tokio::time::sleep(Duration::from_millis(2));
                    op.shield(nap).await;
                }
                match &message {
                    Sent::Text(word) if word.as_str() == "enough" => return Ok(()),
                    _ => socket.send(message).await?,
                }
            }
        },
    )
    .await;
    let mut clients = JoinSet::new();
    for seed in 0..CLIENTS {
        while clients.len() >= AT_ONCE {
            bounded(clients.join_next()).await.unwrap().unwrap();
        }
        let client = connect(&service).await;
        clients.spawn(visit(client, Random(seed)));
    }
    while let Some(visited) = bounded(clients.join_next()).await {
        visited.unwrap();
    }
    for _ in 0..CLIENTS {
        let end = ends.next().await;
        assert!(end.status.is_terminal() && end.error.is_none(), "{end:?}");
    }
    assert!(ends.is_empty(), "one ended twice");
    let statistics = registry.statistics();
    assert_eq!(
        (statistics.started, statistics.ended.total()),
        (CLIENTS, CLIENTS)
    );
    assert_eq!(registry.count(&Filter::new()), 0);
    // Whoever served them is gone too.
    let metrics = Handle::current().metrics();
    bounded(async {
        while metrics.num_alive_tasks() > OF_THE_SERVICE {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Says something, and leaves in some way.
async fn visit(mut client: Client, mut random: Random) {
    for _ in 0..random.below(12) {
        // The service may have had enough.
        if client.feed(text("word")).await.is_err() {
            return;
        }
        if random.below(3) == 0 {
            let _ = client.flush().await;
        }
        if random.below(4) == 0 {
            let _ = future::poll_immediate(client.next()).await;
        }
    }
    match random.below(5) {
        0 => drop(client.close(None).await),
        1 => {
            let _ = client.send(text("enough")).await;
            while let Some(Ok(_)) = bounded(client.next()).await {}
        }
        2 => {
            let _ = client.close(None).await;
            while let Some(Ok(_)) = bounded(client.next()).await {}
        }
        3 => {
            if let MaybeTlsStream::Plain(socket) = client.get_ref() {
                socket.set_zero_linger().unwrap();
            }
            let _ = client.send(Message::Ping("last".into())).await;
        }
        _ => {}
    }
}

/// Numbers that a seed leads to, by Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        // A state of zero would stay.
        let mut state = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0 = state;
        (state >> 32) % bound
    }
}
