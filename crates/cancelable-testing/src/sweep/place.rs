//! Where in the source a future waits: seen from inside.
//!
//! Whoever waits keeps a clone of the waker that it was polled with. So a waker that looks at the stack as it is cloned sees the
//! future that waits, and from there outwards everything that awaits it.

use std::backtrace::Backtrace;
use std::sync::Arc;
use std::task::Waker;

use cooked_waker::{IntoWaker, Wake, WakeRef};
use parking_lot::Mutex;

/// The stacks on which wakers were cloned.
#[derive(Clone, Default)]
pub(super) struct Stacks(Arc<Mutex<Vec<Backtrace>>>);

impl Stacks {
    /// A waker that wakes `woken`, and looks at the stack of whoever clones it.
    pub(super) fn looking_waker(&self, woken: Waker) -> Waker {
        let stacks = self.clone();
        Box::new(Looking { woken, stacks }).into_waker()
    }

    /// The places of all that wait, those in libraries aside: `src/a.rs:3:9, src/b.rs:7:13`. `None` where there is nothing to
    /// tell: without line tables, or where it is a library that waits for itself.
    pub(super) fn places(&self) -> Option<String> {
        let mut places = Vec::new();
        for stack in &*self.0.lock() {
            let place = innermost(&stack.to_string()).map(str::to_owned);
            if let Some(place) = place
                && !places.contains(&place)
            {
                places.push(place);
            }
        }
        places.truncate(MOST);
        (!places.is_empty()).then(|| places.join(", "))
    }
}

struct Looking {
    woken: Waker,
    stacks: Stacks,
}

impl Clone for Looking {
    fn clone(&self) -> Self {
        let stack = Backtrace::force_capture();
        self.stacks.0.lock().push(stack);
        Self {
            woken: self.woken.clone(),
            stacks: self.stacks.clone(),
        }
    }
}

impl WakeRef for Looking {
    fn wake_by_ref(&self) {
        self.woken.wake_by_ref();
    }
}

impl Wake for Looking {}

/// The place of the innermost frame that is the user's own code.
fn innermost(stack: &str) -> Option<&str> {
    let places = stack
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("at "));
    let mut own = places.filter(|place| !FOREIGN.iter().any(|part| place.contains(part)));
    own.next()
}

/// What is in the paths of code that is not the user's own: of the standard library, of other crates, of this one.
const FOREIGN: [&str; 7] = [
    "/rustc/",
    "/rustlib/src/",
    "/registry/src/",
    "/git/checkouts/",
    "/sweep/driver.rs:",
    "/sweep/place.rs:",
    "/sweep/subject.rs:",
];

/// How many places of one await are told.
const MOST: usize = 3;
