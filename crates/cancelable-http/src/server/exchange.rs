//! What passes between a request's operation and whoever serves the request: the head of the response, its frames one at a time,
//! and word of a client that has left.
//!
//! # Invariants
//!
//! 1. **There is one frame at most**: the operation produces the next one once this was taken, so back-pressure is the server's.
//! 2. **The stage goes forward only**, and is written by the operation's side; the reader is written by the server's side.
//! 3. **No foreign code under the lock**: what is taken out or replaced is dropped after it.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};

use cancelable::Operation;
use http::response::Parts;
use http_body::{Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};

use super::place::Parking;
use super::{BoxError, Disconnect};

/// See the module's documentation.
pub(super) struct Exchange<D> {
    slot: Mutex<Slot<D>>,
    /// The client has left in the middle of its upload, and the work has not been pending since.
    is_cut_off: AtomicBool,
}

pub(super) struct Slot<D> {
    pub(super) head: Option<Head>,
    pub(super) frame: Option<Frame<D>>,
    /// Why the body of the response ends before it is whole, if it does; comes after the last frame.
    pub(super) failure: Option<BoxError>,
    /// What is to be expected of a body of which nothing has been taken yet.
    pub(super) hint: SizeHint,
    /// The same after the frame that lies here.
    pub(super) rest: SizeHint,
    pub(super) stage: Stage,
    pub(super) reader: Reader,
    /// Whether all that was announced of the response has been handed over.
    pub(super) has_all: bool,
    pub(super) disconnect: Disconnect,
    /// `None` before it starts, and when its work is done.
    pub(super) operation: Option<Operation>,
    pub(super) parking: Parking,
}

/// What the service gave: the head of a response, or an error of its own.
pub(super) enum Head {
    Response(Box<Parts>),
    Error(Box<dyn Any + Send>),
}

/// How far the work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Working,
    /// All that the response has was put here.
    Done,
    /// It was dropped before that.
    Cut,
    /// It has panicked.
    Panicked,
}

/// What the one who takes frames is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    Reads,
    /// It has all that was announced, and has stopped reading.
    HasAll,
    /// The client has left.
    Gone,
}

impl<D> Exchange<D> {
    pub(super) fn new(disconnect: Disconnect) -> Self {
        Self {
            slot: Mutex::new(Slot {
                head: None,
                frame: None,
                failure: None,
                hint: SizeHint::new(),
                rest: SizeHint::new(),
                stage: Stage::Working,
                reader: Reader::Reads,
                has_all: false,
                disconnect,
                operation: None,
                parking: Parking::default(),
            }),
            is_cut_off: AtomicBool::new(false),
        }
    }

    /// Nobody is there for what the work gives now, unless it goes on after this.
    pub(super) fn cut_off(&self) {
        // Release: pairs with the acquire by which the work's side takes it, in whichever thread the body was read.
        self.is_cut_off.store(true, Ordering::Release);
    }

    /// Whether that has come since this was asked last.
    pub(super) fn take_cut_off(&self) -> bool {
        // Acquire: pairs with the release in `cut_off`. Nearly always there is nothing to take, and a load is all.
        self.is_cut_off.load(Ordering::Acquire) && self.is_cut_off.swap(false, Ordering::Acquire)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Slot<D>> {
        self.slot.lock()
    }

    pub(super) fn take_head(&self) -> Option<Head> {
        self.lock().head.take()
    }

    /// The frame that lies here, and what is to be expected after it.
    pub(super) fn take_frame(&self) -> Option<(Frame<D>, SizeHint)> {
        let mut slot = self.lock();
        let frame = slot.frame.take()?;
        Some((frame, slot.rest))
    }

    /// Why the body ends here, if it is not whole.
    pub(super) fn take_failure(&self) -> Option<BoxError> {
        self.lock().failure.take()
    }
}

/// What an inner layer and the body of the request may do to the operation.
pub(super) trait Govern: Send + Sync {
    /// Has this hold from now on, and gives the operation; `None` where it does not run.
    fn govern(&self, disconnect: Disconnect) -> Option<Operation>;

    /// The client has left in the middle of its upload.
    fn lose_client(&self);
}

impl<D: Send + 'static> Govern for Exchange<D> {
    fn govern(&self, disconnect: Disconnect) -> Option<Operation> {
        let mut slot = self.lock();
        if slot.stage != Stage::Working {
            return None;
        }
        slot.disconnect = disconnect;
        slot.operation.clone()
    }

    fn lose_client(&self) {
        let slot = self.lock();
        // What has come to its end, or was handed over to it, is no affair of the client's; and one leaves once.
        if slot.stage != Stage::Working || slot.reader != Reader::Reads || slot.has_all {
            return;
        }
        let (disconnect, operation) = (slot.disconnect, slot.operation.clone());
        drop(slot);
        let Some(operation) = operation else { return };
        if disconnect.asks() {
            self.cut_off();
        }
        disconnect.tell(&operation);
    }
}
