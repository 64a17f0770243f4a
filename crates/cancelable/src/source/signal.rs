//! [`SignalSource`], a signal as a source.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::{Cancellation, CancellationToken, CancelledOwned, Origin, Reason};
use tokio::time::Instant;

use super::Source;
use crate::Signal;
use crate::signal::{self, Listening};

/// A source that fires with reason [`Signal`](crate::Reason::Signal) when the process receives `signal`.
///
/// It listens from the start of the operation that it acts on until it is dropped or has fired. Meanwhile, and only then, the
/// signal's default action is held back; a handler that the program had before is called as well. Where it cannot listen,
/// it fires at once with reason [`Error`](crate::Reason::Error).
pub fn signal(signal: Signal) -> SignalSource {
    SignalSource {
        signal,
        heard: None,
    }
}

/// A source that fires with a signal; made by [`signal`].
#[must_use = "a source does nothing unless an operation is given it"]
pub struct SignalSource {
    signal: Signal,
    heard: Option<Heard>,
}

/// What is there while it listens.
struct Heard {
    cancelled: CancelledOwned,
    /// Kept for its drop alone.
    _listening: Listening,
}

impl SignalSource {
    fn listen(&mut self) -> Result<&mut Heard, Cancellation> {
        let heard = match self.heard.take() {
            Some(heard) => heard,
            None => {
                let token = CancellationToken::new();
                let cancelled = token.clone().cancelled_owned();
                let listening = listen(self.signal, token)?;
                Heard {
                    cancelled,
                    _listening: listening,
                }
            }
        };
        Ok(self.heard.insert(heard))
    }
}

/// Has `token` cancelled by `signal`.
pub(crate) fn listen(signal: Signal, token: CancellationToken) -> Result<Listening, Cancellation> {
    let heard = signal::listen(signal, move |signal| {
        token.cancel_with(Origin::signal(signal.number(), signal.name()));
    });
    // An operation that cannot hear what it was told to obey must not run as if it could.
    heard.map_err(|error| {
        let message = format!("cannot listen for {signal}: {error}");
        Cancellation::new(Reason::Error).with_message(message)
    })
}

impl Future for SignalSource {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        match self.listen() {
            Ok(heard) => Pin::new(&mut heard.cancelled).poll(cx),
            Err(why) => Poll::Ready(why),
        }
    }
}

impl Source for SignalSource {
    fn begin(mut self: Pin<&mut Self>, _: Instant) -> Option<Cancellation> {
        self.listen().err()
    }

    fn name(&self) -> String {
        format!("signal {}", self.signal)
    }
}

impl fmt::Debug for SignalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalSource")
            .field("signal", &self.signal)
            .field("is_listening", &self.heard.is_some())
            .finish()
    }
}
