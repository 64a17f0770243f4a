//! Windows' console events behind the names of signals: Ctrl-C is `SIGINT`, Ctrl-Break is `SIGTERM`.
//!
//! The system calls a handler on a thread of its own, and what that wakes is the listener itself: there is no thread of ours.
//! The default action, the end of the process, is held back while a receiver is there, and is back with the last.
//!
//! 1. A listener and its receiver hold each other, since the receiver keeps the waker; a seat that goes takes the receiver
//!    out.
//! 2. The callback is called outside the lock of the receiver.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::Mutex;
use tokio::signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c};
use tokio::task::unconstrained;

use super::error::{ListenError, Step};
use super::kind::Signal;
use super::listening::Callback;
use crate::panic;

/// A listener that hears of an event.
pub(super) struct Seat(Arc<Listener>);

struct Listener {
    signal: Signal,
    callback: Box<Callback>,
    /// `None` once it listens no more.
    receiver: Mutex<Option<Receiver>>,
}

enum Receiver {
    Interrupt(CtrlC),
    Break(CtrlBreak),
}

impl Seat {
    pub(super) fn take(
        signal: Signal,
        callback: impl Fn(Signal) + Send + Sync + 'static,
    ) -> Result<Self, ListenError> {
        let receiver = Receiver::new(signal).map_err(|cause| ListenError {
            signal,
            step: Step::Handler,
            cause,
        })?;
        let listener = Arc::new(Listener {
            signal,
            callback: Box::new(callback),
            receiver: Mutex::new(Some(receiver)),
        });
        listener.hear();
        Ok(Self(listener))
    }

    pub(super) fn signal(&self) -> Signal {
        self.0.signal
    }

    /// A receiver holds back the default action and hears; so who holds it back no more hears nothing either, and the event
    /// ends the process.
    pub(super) fn stop_holding_back(&self) {
        self.0.stop();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Listener {
    /// Calls the callback for what has come, and has the next event call this again.
    fn hear(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        while self.has_come(&mut cx) {
            let called = catch_unwind(AssertUnwindSafe(|| (self.callback)(self.signal)));
            if let Err(payload) = called {
                let error = panic::said(&*payload);
                tracing::error!(signal = %self.signal, error, "a listener of a signal panicked");
            }
        }
    }

    fn has_come(&self, cx: &mut Context<'_>) -> bool {
        let mut receiver = self.receiver.lock();
        let Some(receiver) = receiver.as_mut() else {
            return false;
        };
        // Outside the budget of cooperative scheduling, which could wake at once, and so come back here under the lock.
        let next = std::future::poll_fn(|cx| receiver.poll(cx));
        pin!(unconstrained(next)).poll(cx).is_ready()
    }

    fn stop(&self) {
        let receiver = self.receiver.lock().take();
        drop(receiver);
    }
}

impl Wake for Listener {
    fn wake(self: Arc<Self>) {
        self.hear();
    }
}

impl Receiver {
    fn new(signal: Signal) -> io::Result<Self> {
        match signal {
            Signal::INTERRUPT => ctrl_c().map(Self::Interrupt),
            Signal::TERMINATE => ctrl_break().map(Self::Break),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        match self {
            Self::Interrupt(receiver) => receiver.poll_recv(cx),
            Self::Break(receiver) => receiver.poll_recv(cx),
        }
    }
}

/// There is no fork.
pub(super) fn after_fork() {}
