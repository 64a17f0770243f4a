//! Which operation is current on this thread (O9).
//!
//! A stack for each thread: a poll of a body pushes its operation and takes it off again; a thread that entered one by hand
//! has it there until its guard goes. Entries are taken off by who they are, not by where, so guards that are dropped out
//! of order do no harm.

use std::cell::RefCell;

use super::Operation;

thread_local! {
    static STACK: RefCell<Vec<Operation>> = const { RefCell::new(Vec::new()) };
}

/// The innermost operation that is running on this thread.
pub(super) fn current() -> Option<Operation> {
    // On a thread that is going down there is none.
    STACK
        .try_with(|stack| stack.borrow().last().cloned())
        .ok()
        .flatten()
}

/// An operation that is current until [`leave`](Entered::leave) gives it back.
#[derive(Debug)]
#[must_use = "what is entered has to be left"]
pub(crate) struct Entered {
    address: usize,
    /// The operation itself, where the thread has no stack any more.
    aside: Option<Operation>,
}

/// Makes an operation current; it is moved, not cloned, since that happens in every poll.
#[inline]
pub(crate) fn enter(operation: Operation) -> Entered {
    let address = operation.address();
    let mut operation = Some(operation);
    // Nothing is pushed, and `operation` stays, if the thread is going down.
    let _ = STACK.try_with(|stack| stack.borrow_mut().extend(operation.take()));
    Entered {
        address,
        aside: operation,
    }
}

impl Entered {
    /// Makes it current no longer, and gives it back.
    #[inline]
    pub(crate) fn leave(self) -> Operation {
        let Self { address, aside } = self;
        aside.unwrap_or_else(|| take_off(address).expect("entered, and left only once"))
    }
}

fn take_off(address: usize) -> Option<Operation> {
    STACK
        .try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let place = stack.iter().rposition(|entry| entry.address() == address)?;
            Some(stack.remove(place))
        })
        .ok()
        .flatten()
}
