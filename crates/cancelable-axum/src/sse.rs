//! [`sse`], server-sent events that say why they end.

use std::convert::Infallible;
use std::fmt;
use std::future::{Pending, pending};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use cancelable::{Cancellation, Operation, Reason, Shield};
use cancelable_http::SaysWhy;
use futures_core::Stream;
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Events of what `events` gives, for as long as `operation` is not cancelled.
///
/// The stream is dropped at once when the client leaves. If the operation is cancelled for any other reason, its time limit, a
/// shutdown, a cancel by hand, the stream is dropped at once too, and the client is told as the last event, in words of
/// [the cancel](Cancellation::message):
///
/// ```text
/// event: cancelled
/// data: timed out after 30s
/// ```
///
/// Then the response is complete, and its operation is Cancelled. It is written without waiting for a grace to be over, and where there is none as well.
///
/// ```
/// use axum::response::IntoResponse;
/// use axum::response::sse::Event;
/// use cancelable_axum::{CurrentOperation, sse};
/// use futures_util::{StreamExt, stream};
/// use std::convert::Infallible;
///
/// async fn tokens(op: CurrentOperation) -> impl IntoResponse {
///     let tokens = stream::iter(["Once", "upon", "a", "time"]);
///     sse(&op, tokens.map(|token| Ok::<_, Infallible>(Event::default().data(token))))
/// }
/// # let _ = axum::routing::get::<_, _, ()>(tokens);
/// ```
pub fn sse<S, E>(operation: &Operation, events: S) -> EventsOfOperation<S>
where
    S: Stream<Item = Result<Event, E>> + Send + 'static,
    E: Into<BoxError>,
{
    EventsOfOperation {
        operation: operation.clone(),
        events,
        keep_alive: None,
    }
}

/// Events that are over with their operation, as a response; made by [`sse`].
#[must_use = "it does nothing until a handler returns it"]
pub struct EventsOfOperation<S> {
    operation: Operation,
    events: S,
    keep_alive: Option<KeepAlive>,
}

impl<S> EventsOfOperation<S> {
    /// Sends something now and then while there is no event, so that nothing on the way takes the connection for dead, and a
    /// client that has vanished is noticed.
    pub fn keep_alive(mut self, keep_alive: KeepAlive) -> Self {
        self.keep_alive = Some(keep_alive);
        self
    }
}

impl<S, E> IntoResponse for EventsOfOperation<S>
where
    S: Stream<Item = Result<Event, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    fn into_response(self) -> Response {
        let says_why = SaysWhy::new();
        let events = self.events.map(|event| event.map_err(Into::into));
        let events = self.operation.stream(events).map({
            let says_why = says_why.clone();
            move |event| event.unwrap_or_else(|why| last_event(&why, &says_why))
        });
        let mut response = match self.keep_alive {
            None => Sse::new(events).into_response(),
            Some(keep_alive) => Sse::new(events).keep_alive(keep_alive).into_response(),
        };
        response.extensions_mut().insert(says_why.clone());
        response.map(|body| {
            Body::new(Events {
                body: Some(body),
                says_why,
                operation: self.operation,
                shield: None,
                last_word: None,
            })
        })
    }
}

/// What a client is told, if there is one.
fn last_event(why: &Cancellation, says_why: &SaysWhy) -> Result<Event, BoxError> {
    let original = why.original();
    if original.reason() == Reason::Disconnected {
        return Err(why.clone().into());
    }
    says_why.said();
    Ok(Event::default().event("cancelled").data(original.message()))
}

/// The body of such a response: over with the last event, and not dropped before that.
struct Events {
    /// `None` once it is over.
    body: Option<Body>,
    says_why: SaysWhy,
    operation: Operation,
    /// Open while it waits for an event: what has no grace would be dropped before it could say why.
    shield: Option<Pin<Box<Shield<Pending<()>>>>>,
    /// Keeps the shield after the last event, for as long as this is there.
    last_word: Option<oneshot::Sender<Infallible>>,
}

impl Events {
    fn open_shield(&mut self) -> Pin<Box<Shield<Pending<()>>>> {
        self.shield.take().unwrap_or_else(|| {
            let mut shield = Box::pin(self.operation.shield(pending()));
            // It is open from its first poll on, and has nothing to be woken for.
            let _ = shield
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            shield
        })
    }

    /// What is put around this body, such as compression, may have to poll once more to know that it is over. A client that does not
    /// read holds that up, and so the shield for no longer than a while.
    fn stay_for_last_word(&mut self) {
        let shield = self.open_shield();
        let (here, gone) = oneshot::channel();
        if let Ok(runtime) = Handle::try_current() {
            self.last_word = Some(here);
            drop(runtime.spawn(async move {
                let _ = timeout(LAST_WORD, gone).await;
                drop(shield);
            }));
        }
    }
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            this.last_word = None;
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(_))) if this.says_why.has_said() => {
                this.body = None;
                this.stay_for_last_word();
            }
            Poll::Ready(Some(Ok(_))) => this.shield = None,
            Poll::Ready(None | Some(Err(_))) => {
                this.body = None;
                this.shield = None;
            }
            Poll::Pending => this.shield = Some(this.open_shield()),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl<S> fmt::Debug for EventsOfOperation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventsOfOperation")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// How long the end of a response may take after its last event.
const LAST_WORD: Duration = Duration::from_secs(5);
