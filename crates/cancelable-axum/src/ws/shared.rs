//! What a WebSocket's reader, writer and closer share.
//!
//! # Invariants
//!
//! 1. **There is one reader of the connection**, the pump, and it takes nothing while as much lies here as there may.
//! 2. **What lies here goes out in the order in which it came**, and what was not taken by a call that was dropped stays. Of pings with
//!    nothing but pongs in between there lies the last, and so it is the other way round: they are no content, and a client that
//!    sends them for days is not to be held up, where nobody receives.
//! 3. **No foreign code under the lock**: wakers are cloned before it is taken, and woken and dropped after it.

use std::collections::VecDeque;
use std::mem::discriminant;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use cancelable::Cancellation;
use cancelable_http::Disconnect;
use futures_util::StreamExt;
use futures_util::stream::{SplitSink, SplitStream};
use parking_lot::Mutex;

/// How many bytes are read ahead while nobody receives. The message that goes beyond is the last one taken.
pub const READ_AHEAD: usize = 64 * 1024;

/// See the module's documentation.
pub(super) struct Shared {
    pub(super) disconnect: Disconnect,
    /// Whether the program has closed it by hand.
    is_closed: AtomicBool,
    inbox: Mutex<Inbox>,
    pub(super) sink: tokio::sync::Mutex<SplitSink<WebSocket, Message>>,
    /// Held by the pump while it runs, and by the closer after that.
    pub(super) stream: tokio::sync::Mutex<SplitStream<WebSocket>>,
}

#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    /// How many bytes they are, with something for each.
    size: usize,
    /// There is no receiver any more: what comes is thrown away.
    is_unwanted: bool,
    gone: Option<Gone>,
    receiver: Option<Waker>,
    pump: Option<Waker>,
}

/// That the client has left.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) why: Cancellation,
    /// What it said, where it did.
    pub(super) close: Option<CloseFrame>,
}

impl Shared {
    pub(super) fn new(socket: WebSocket, disconnect: Disconnect) -> Self {
        let (sink, stream) = socket.split();
        Self {
            disconnect,
            is_closed: AtomicBool::new(false),
            inbox: Mutex::default(),
            sink: sink.into(),
            stream: stream.into(),
        }
    }

    /// Waits until there is room for another message.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut inbox = self.inbox.lock();
        let (answer, spare) = if inbox.size < READ_AHEAD {
            (Poll::Ready(()), Some(waker))
        } else {
            (Poll::Pending, inbox.pump.replace(waker))
        };
        drop(inbox);
        drop(spare);
        answer
    }

    pub(super) fn put(&self, message: Message) {
        let mut inbox = self.inbox.lock();
        let thrown_away = if inbox.is_unwanted {
            Some(message)
        } else {
            let older = inbox.take_older(&message);
            inbox.size += size(&message);
            inbox.messages.push_back(message);
            older
        };
        let receiver = inbox.receiver.take();
        drop(inbox);
        drop(thrown_away);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// Nobody receives any more, so that nothing is held up for that.
    pub(super) fn receive_no_more(&self) {
        let mut inbox = self.inbox.lock();
        inbox.is_unwanted = true;
        inbox.size = 0;
        let messages = std::mem::take(&mut inbox.messages);
        let wakers = (inbox.receiver.take(), inbox.pump.take());
        drop(inbox);
        drop((messages, wakers.0));
        if let Some(pump) = wakers.1 {
            pump.wake();
        }
    }

    pub(super) fn set_closed(&self) {
        // Relaxed, as where it is asked: the client answers to what was sent after this.
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Nothing more comes; says whether that was not known before.
    pub(super) fn leave(&self, gone: Gone) -> bool {
        let mut inbox = self.inbox.lock();
        let is_first = inbox.gone.is_none();
        inbox.gone.get_or_insert(gone);
        let receiver = inbox.receiver.take();
        drop(inbox);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
        is_first
    }

    pub(super) fn gone(&self) -> Option<Gone> {
        self.inbox.lock().gone.clone()
    }

    /// The next message that lies here, or that none will come.
    pub(super) fn poll_take(&self, cx: &Context<'_>) -> Poll<Result<Message, Cancellation>> {
        let waker = cx.waker().clone();
        let mut inbox = self.inbox.lock();
        let (answer, spare, pump) = if let Some(message) = inbox.messages.pop_front() {
            inbox.size -= size(&message);
            let pump = inbox.pump.take();
            (Poll::Ready(Ok(message)), Some(waker), pump)
        } else if let Some(gone) = &inbox.gone {
            (Poll::Ready(Err(gone.why.clone())), Some(waker), None)
        } else {
            (Poll::Pending, inbox.receiver.replace(waker), None)
        };
        drop(inbox);
        drop(spare);
        if let Some(pump) = pump {
            pump.wake();
        }
        answer
    }
}

impl Inbox {
    /// Takes out a ping, or a pong, that `message` stands for as well.
    fn take_older(&mut self, message: &Message) -> Option<Message> {
        if !is_ping_or_pong(message) {
            return None;
        }
        let latest = self
            .messages
            .iter()
            .rev()
            .take_while(|it| is_ping_or_pong(it));
        let back = latest
            .map(discriminant)
            .position(|kind| kind == discriminant(message))?;
        let older = self.messages.remove(self.messages.len() - 1 - back)?;
        self.size -= size(&older);
        Some(older)
    }
}

fn is_ping_or_pong(message: &Message) -> bool {
    matches!(message, Message::Ping(_) | Message::Pong(_))
}

/// What a message counts as: the shortest ones take memory too.
fn size(message: &Message) -> usize {
    let bytes = match message {
        Message::Text(text) => text.len(),
        Message::Binary(data) | Message::Ping(data) | Message::Pong(data) => data.len(),
        Message::Close(close) => close.as_ref().map_or(0, |close| close.reason.len()),
    };
    bytes + size_of::<Message>()
}
