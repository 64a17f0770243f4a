//! Which operation is current on this thread (O9), and what stands between it and being dropped (O5).
//!
//! A stack for each thread: a poll of a body or of a task pushes its operation and takes it off again, and so does a poll of
//! a shielded section; a thread that entered one by hand has it there until its guard goes. Entries are taken off by who they
//! are, not by where, so guards that are dropped out of order do no harm.
//!
//! So the stack is what encloses the code that runs: each entry below is somebody who may drop it.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Operation, Shields, trace};

thread_local! {
    static STACK: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

struct Entry {
    operation: Operation,
    kind: Kind,
}

/// What it is that runs for the operation.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Its body, which its driver polls and may drop.
    Body,
    /// A thread, which nobody can drop.
    Thread,
    /// A spawned task, which is dropped by itself: with its own shields.
    Task(Arc<Shields>),
    /// A shielded section, with its bound.
    Shield(Option<Instant>),
}

/// The innermost operation that is running on this thread.
pub(super) fn current() -> Option<Operation> {
    innermost(|entry| entry.operation.clone())
}

/// The innermost operation, and if what runs is shielded from its end: the bound of the shields.
pub(crate) fn around() -> Option<(Operation, Option<Shielded>)> {
    let (operation, is_shielded) = innermost(|entry| {
        let is_shielded = matches!(entry.kind, Kind::Shield(_));
        (entry.operation.clone(), is_shielded)
    })?;
    Some((operation, is_shielded.then(|| Shielded { until: bound() })))
}

/// That what runs here is not to be stopped by what stops its operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shielded {
    /// When the shields around it give up, if any does.
    pub(crate) until: Option<Instant>,
}

/// Whether `operation` is shielded from its end where this is called: a section of it, or of what encloses it on this
/// thread, is between here and its driver.
pub(crate) fn shielded(operation: &Operation) -> Option<Shielded> {
    let address = operation.address();
    let is_shielded = with_stack(|stack| {
        let mut entries = stack.iter().rev();
        let mut is_shielded = false;
        entries
            .find_map(|entry| {
                is_shielded |= matches!(entry.kind, Kind::Shield(_));
                (entry.operation.address() == address).then_some(is_shielded)
            })
            .unwrap_or(false)
    })?;
    is_shielded.then(|| Shielded { until: bound() })
}

/// Whether whoever runs here is to stop: the innermost operation was asked, and no shield is before it.
#[inline]
pub(crate) fn is_to_stop() -> bool {
    innermost(|entry| {
        let is_shielded = matches!(entry.kind, Kind::Shield(_));
        !is_shielded && entry.operation.is_cancelled()
    })
    .unwrap_or(false)
}

/// The earliest bound of all shields on this thread.
fn bound() -> Option<Instant> {
    with_stack(|stack| {
        let bounds = stack.iter().filter_map(|entry| match entry.kind {
            Kind::Shield(until) => until,
            Kind::Body | Kind::Thread | Kind::Task(_) => None,
        });
        bounds.min()
    })?
}

/// Everybody on this thread who may drop what runs here.
pub(crate) fn frames() -> Vec<Frame> {
    let frame = |entry: &Entry| {
        let shields = match &entry.kind {
            Kind::Body => Arc::clone(entry.operation.record.duties().shields()),
            Kind::Task(shields) => Arc::clone(shields),
            // A section is dropped by the entry below it.
            Kind::Thread | Kind::Shield(_) => return None,
        };
        let operation = entry.operation.clone();
        Some(Frame { operation, shields })
    };
    with_stack(|stack| stack.iter().filter_map(frame).collect()).unwrap_or_default()
}

/// Somebody who polls, and may drop what is polled.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) operation: Operation,
    pub(crate) shields: Arc<Shields>,
}

/// Calls `section` with what encloses it kept from stopping what it starts; `until` is its bound.
pub(crate) fn shielding<T>(until: Option<Instant>, section: impl FnOnce() -> T) -> T {
    match current() {
        None => section(),
        Some(operation) => {
            let _left = LeftOnDrop::from(enter(operation, Kind::Shield(until)));
            section()
        }
    }
}

/// Leaves also where what was entered unwinds.
pub(crate) struct LeftOnDrop(Option<Entered>);

impl From<Entered> for LeftOnDrop {
    fn from(entered: Entered) -> Self {
        Self(Some(entered))
    }
}

impl Drop for LeftOnDrop {
    fn drop(&mut self) {
        self.0.take().map(Entered::leave);
    }
}

fn innermost<T>(look: impl FnOnce(&Entry) -> T) -> Option<T> {
    with_stack(|stack| stack.last().map(look))?
}

/// `None` on a thread that is going down.
fn with_stack<T>(look: impl FnOnce(&[Entry]) -> T) -> Option<T> {
    STACK.try_with(|stack| look(&stack.borrow())).ok()
}

/// An operation that is current until [`leave`](Entered::leave) gives it back.
#[derive(Debug)]
#[must_use = "what is entered has to be left"]
pub(crate) struct Entered {
    address: usize,
    /// The operation itself, where the thread has no stack any more.
    aside: Option<Operation>,
}

/// Makes the operation of a body current; it is moved, not cloned, since that happens in every poll.
#[inline]
pub(crate) fn enter_body(operation: Operation) -> Entered {
    enter_as(operation, || Kind::Body)
}

/// The same for whatever else runs for an operation.
pub(crate) fn enter(operation: Operation, kind: Kind) -> Entered {
    enter_as(operation, || kind)
}

/// The entry is made where it is to stand, since copying what has just been written waits for that to arrive.
#[inline]
fn enter_as(operation: Operation, kind: impl FnOnce() -> Kind) -> Entered {
    let address = operation.address();
    if let Some(span) = operation.record.span() {
        trace::enter(span);
    }
    let mut operation = Some(operation);
    // Nothing is pushed, and the operation stays, if the thread is going down.
    let _ = STACK.try_with(|stack| {
        if let Some(operation) = operation.take() {
            let mut stack = stack.borrow_mut();
            if stack.len() == stack.capacity() {
                return push_and_grow(&mut stack, operation, kind());
            }
            let kind = kind();
            stack.push(Entry { operation, kind });
        }
    });
    Entered {
        address,
        aside: operation,
    }
}

#[cold]
fn push_and_grow(stack: &mut Vec<Entry>, operation: Operation, kind: Kind) {
    stack.push(Entry { operation, kind });
}

impl Entered {
    /// Makes it current no longer, and gives it back.
    #[inline]
    pub(crate) fn leave(self) -> Operation {
        let Self { address, aside } = self;
        let operation =
            aside.unwrap_or_else(|| take_off(address).expect("entered, and left only once"));
        if let Some(span) = operation.record.span() {
            trace::leave(span);
        }
        operation
    }
}

#[inline]
fn take_off(address: usize) -> Option<Operation> {
    // What was entered last is mostly what is left first.
    let last = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        stack.pop_if(|entry| entry.operation.address() == address)
    });
    match last.ok()? {
        Some(entry) => Some(entry.operation),
        None => take_from_below(address),
    }
}

#[cold]
fn take_from_below(address: usize) -> Option<Operation> {
    let entry = STACK.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let mut entries = stack.iter();
        let place = entries.rposition(|entry| entry.operation.address() == address)?;
        Some(stack.remove(place))
    });
    Some(entry.ok()??.operation)
}
