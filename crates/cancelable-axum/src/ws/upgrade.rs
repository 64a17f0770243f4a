//! [`OperationUpgrade`], an extractor for WebSockets that are operations.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts, MatchedPath};
use axum::response::Response;
use cancelable::{Cancelable, Cancellation, Operation};
use cancelable_http::{Disconnect, Shutdown};
use futures_util::future::{Either, select};
use http::request::Parts;

use super::closing::{self, close};
use super::pump::pump;
use super::shared::Shared;
use super::{Receiver, Sender, Socket};

/// A request for a WebSocket, as an argument of a handler; its callback runs as an operation.
///
/// The operation is one of its own, not inside that of the request, which ends as the connection is handed over. It is called
/// `WS /rooms/{room}`, by its route. It has no limit and no shutdown unless these are said here.
#[must_use = "nothing is upgraded unless `on_upgrade` is called"]
pub struct OperationUpgrade {
    upgrade: WebSocketUpgrade,
    plan: Cancelable,
    disconnect: Disconnect,
}

impl<S: Send + Sync> FromRequestParts<S> for OperationUpgrade {
    type Rejection = WebSocketUpgradeRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await?;
        let route = parts.extensions.get().map(MatchedPath::as_str);
        let mut plan = Cancelable::new()
            .detached()
            .name(format!("WS {}", route.unwrap_or("(no route)")));
        if let Some(route) = route {
            plan = plan.metadata("route", route);
        }
        Ok(Self {
            upgrade,
            plan,
            disconnect: Disconnect::default(),
        })
    }
}

impl OperationUpgrade {
    /// How long the connection may last; of several the least counts.
    pub fn timeout(self, limit: Duration) -> Self {
        self.plan(|plan| plan.timeout(limit))
    }

    /// What a client that leaves does to the operation: [`Disconnect::Cancel`] unless said.
    pub fn disconnect(mut self, disconnect: Disconnect) -> Self {
        self.disconnect = disconnect;
        self
    }

    /// Has it end with `shutdown`: its client is told to go away, once the operation has ended in the grace or after it.
    pub fn shutdown(self, shutdown: &Shutdown) -> Self {
        self.plan(|plan| shutdown.plan(plan))
    }

    /// Whatever else is to be said of the operation: another name, tokens, a grace, finalizers, callbacks.
    pub fn plan(mut self, finish: impl FnOnce(Cancelable) -> Cancelable) -> Self {
        self.plan = finish(self.plan);
        self
    }

    /// Whatever is to be said of the protocol: which others are spoken inside, how long a message may be.
    pub fn configure(
        mut self,
        configure: impl FnOnce(WebSocketUpgrade) -> WebSocketUpgrade,
    ) -> Self {
        self.upgrade = configure(self.upgrade);
        self
    }

    /// Answers the request, and has `serve` run as an operation once the connection is a WebSocket.
    ///
    /// An error that it returns ends the operation: after an ask as Cancelled, before that as Failed. Then, whichever way it
    /// ended, the client is sent a close frame; see [the module](super).
    pub fn on_upgrade<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(Socket, Operation) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), Cancellation>> + Send + 'static,
    {
        let (plan, disconnect) = (self.plan, self.disconnect);
        self.upgrade.on_upgrade(async move |socket| {
            // Why it ended is on record, and the client was told.
            let _ = run(socket, plan, disconnect, serve).await;
        })
    }
}

async fn run<F, Fut>(
    socket: WebSocket,
    plan: Cancelable,
    disconnect: Disconnect,
    serve: F,
) -> Result<(), Cancellation>
where
    F: FnOnce(Socket, Operation) -> Fut,
    Fut: Future<Output = Result<(), Cancellation>>,
{
    let protocol = socket.protocol().cloned();
    let shared = Arc::new(Shared::new(socket, disconnect));
    // In the operation, so that whoever waits for its end waits for that of the connection.
    let plan = plan.finalizer(2 * closing::LIMIT, {
        let shared = Arc::clone(&shared);
        async move |op| close(&shared, &op).await
    });
    plan.try_run(async move |op| {
        let (sender, receiver) = (
            Sender {
                shared: Arc::clone(&shared),
                operation: op.clone(),
            },
            Receiver {
                shared: Arc::clone(&shared),
                operation: op.clone(),
            },
        );
        let socket = Socket {
            sender,
            receiver,
            protocol,
        };
        let served = pin!(serve(socket, op.clone()));
        let pumped = pin!(pump(&shared, &op));
        match select(served, pumped).await {
            Either::Left((served, _)) => served,
            // The client has left; whether that ends the operation was said.
            Either::Right(((), served)) => served.await,
        }
    })
    .await
}

impl fmt::Debug for OperationUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationUpgrade")
            .field("plan", &self.plan)
            .field("disconnect", &self.disconnect)
            .finish_non_exhaustive()
    }
}
