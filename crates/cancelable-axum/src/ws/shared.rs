//! What a WebSocket's reader, writer and closer share.
//!
//! # Invariants
//!
//! 1. **There is one reader of the connection**, the pump, and it takes nothing while as much lies here as there may.
//! 2. **What lies here goes out in the order in which it came**, and what was not taken by a receiver that was dropped stays.
//! 3. **No foreign code under the lock**: wakers are cloned before it is taken, and woken and dropped after it.

use std::collections::VecDeque;
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
        inbox.size += size(&message);
        inbox.messages.push_back(message);
        let receiver = inbox.receiver.take();
        drop(inbox);
        if let Some(receiver) = receiver {
            receiver.wake();
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

/// What a message counts as: the shortest ones take memory too.
fn size(message: &Message) -> usize {
    let bytes = match message {
        Message::Text(text) => text.len(),
        Message::Binary(data) | Message::Ping(data) | Message::Pong(data) => data.len(),
        Message::Close(close) => close.as_ref().map_or(0, |close| close.reason.len()),
    };
    bytes + size_of::<Message>()
}
