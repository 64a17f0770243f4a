//! What passes between a request's operation and whoever serves the request: the head of the response, its frames one at a time,
//! and word of a client that has left.
//!
//! # Invariants
//!
//! 1. **There is one frame at most**: the operation produces the next one once this was taken, so back-pressure is the server's.
//! 2. **The stage goes forward only**, and is written by the operation's side; the reader is written by the server's side.
//! 3. **No foreign code under the lock**: what is taken out or replaced is dropped after it.

use std::any::Any;
use std::sync::Weak;

use cancelable::Operation;
use http::response::Parts;
use http_body::{Frame, SizeHint};
use parking_lot::{Mutex, MutexGuard};

use super::parking::Parking;
use super::{BoxError, Disconnect};

/// See the module's documentation.
pub(super) struct Exchange<D> {
    slot: Mutex<Slot<D>>,
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
    pub(super) disconnect: Disconnect,
    /// `None` before it runs, and when its work is done.
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
                disconnect,
                operation: None,
                parking: Parking::default(),
            }),
        }
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

/// A request that is an operation already, for a layer inside the one that made it so; found beside the request.
#[derive(Clone)]
pub(super) struct Governed(pub(super) Weak<dyn Govern>);

/// What an inner layer may do to the operation of an outer one.
pub(super) trait Govern: Send + Sync {
    /// Has this hold from now on, and gives the operation; `None` where it does not run.
    fn govern(&self, disconnect: Disconnect) -> Option<Operation>;
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
}
