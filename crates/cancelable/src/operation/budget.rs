//! [`Budget`], how many items or bytes an operation may take.
//!
//! A stream takes its share before it asks its source for an item, and gives it back if there is none yet; so of two streams
//! that ask at the same time on different threads no more than one gets the last, and nothing has to be taken back from a
//! source. While that is open, the other cannot know yet whether there is any left.

use std::fmt;
use std::thread::{self, ThreadId};

use cancelable_core::{Cancellation, Origin};
use parking_lot::Mutex;

use super::Operation;

/// The budgets of an operation, as far as it has any.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    pub(crate) items: Option<Budget>,
    pub(crate) bytes: Option<Budget>,
}

impl Budgets {
    /// Of several for the same the least counts.
    pub(crate) fn limit_items(&mut self, limit: u64) {
        let limit = least(self.items.as_ref(), limit);
        self.items = Some(Budget::new(Unit::Items, limit));
    }

    /// Of several for the same the least counts.
    pub(crate) fn limit_bytes(&mut self, limit: u64) {
        let limit = least(self.bytes.as_ref(), limit);
        self.bytes = Some(Budget::new(Unit::Bytes, limit));
    }

    pub(crate) fn combine(&mut self, other: &Self) {
        if let Some(items) = &other.items {
            self.limit_items(items.limit);
        }
        if let Some(bytes) = &other.bytes {
            self.limit_bytes(bytes.limit);
        }
    }
}

fn least(budget: Option<&Budget>, limit: u64) -> u64 {
    budget.map_or(limit, |budget| budget.limit.min(limit))
}

/// How many items or bytes an operation may take, and how many are left.
#[derive(Debug)]
pub(crate) struct Budget {
    unit: Unit,
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: u64,
    /// The threads on which a source is being asked for an item that is taken already.
    asking: Vec<ThreadId>,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Items,
    Bytes,
}

/// What there is for whoever wants one more.
pub(crate) enum Share<'a> {
    Taken(Taken<'a>),
    /// None, but one may be given back in a moment by another thread.
    Open,
    Spent,
}

/// One of a budget; given back as it is dropped, unless it is kept.
pub(crate) struct Taken<'a> {
    budget: &'a Budget,
    is_kept: bool,
}

impl Budget {
    fn new(unit: Unit, limit: u64) -> Self {
        let state = State {
            left: limit,
            asking: Vec::new(),
        };
        Self {
            unit,
            limit,
            state: Mutex::new(state),
        }
    }

    /// Takes one, on behalf of a source that is asked for an item on this thread.
    pub(crate) fn take_one(&self) -> Share<'_> {
        let mut state = self.state.lock();
        let here = thread::current().id();
        if let Some(left) = state.left.checked_sub(1) {
            state.left = left;
            state.asking.push(here);
            return Share::Taken(Taken {
                budget: self,
                is_kept: false,
            });
        }
        // What is taken on this very thread is so by a stream that this one is the source of: it waits for this one.
        let is_open = !state.asking.is_empty() && !state.asking.contains(&here);
        if is_open { Share::Open } else { Share::Spent }
    }

    /// Takes so many, or none if there are fewer; says which.
    fn spend(&self, amount: u64) -> bool {
        let mut state = self.state.lock();
        let left = state.left.checked_sub(amount);
        state.left = left.unwrap_or(state.left);
        left.is_some()
    }

    /// Takes so many, or as many as there are.
    pub(crate) fn spend_at_most(&self, amount: u64) {
        let mut state = self.state.lock();
        state.left = state.left.saturating_sub(amount);
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.state.lock().left == 0
    }

    /// Why an operation ends that wanted more.
    pub(crate) fn why(&self) -> Cancellation {
        let name = self.to_string();
        let message = format!("the {name} is spent");
        Cancellation::from_origin(Origin::condition(name)).with_message(message)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match (self.unit, self.limit) {
            (Unit::Items, 1) => "item",
            (Unit::Items, _) => "items",
            (Unit::Bytes, 1) => "byte",
            (Unit::Bytes, _) => "bytes",
        };
        write!(f, "budget of {} {unit}", self.limit)
    }
}

impl Taken<'_> {
    /// There was an item: it is spent.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state.lock();
        state.left += u64::from(!self.is_kept);
        let here = thread::current().id();
        if let Some(place) = state.asking.iter().rposition(|asking| *asking == here) {
            state.asking.swap_remove(place);
        }
    }
}

impl Operation {
    /// Spends `n` of the [items](crate::Cancelable::max_items) that the operation may take, for code that takes them by
    /// other ways than [streams](Self::stream). Where there is no such budget, it only [checks](Self::check).
    ///
    /// ```
    /// use cancelable::{Cancelable, Reason};
    ///
    /// let op = Cancelable::new().max_items(10).enter_blocking();
    /// assert!(op.spend_items(7).is_ok());
    /// let why = op.spend_items(4).unwrap_err();
    /// assert_eq!(why.reason(), Reason::Condition);
    /// assert_eq!(why.message(), "the budget of 10 items is spent");
    /// assert!(op.is_cancelled());
    /// ```
    ///
    /// # Errors
    ///
    /// If fewer than `n` are left: then none is spent, and the operation is asked to stop. If it was before, why that was.
    pub fn spend_items(&self, n: u64) -> Result<(), Cancellation> {
        self.spend(|budgets| budgets.items.as_ref(), n)
    }

    /// Spends `n` of the [bytes](crate::Cancelable::max_bytes) that the operation may take; else as
    /// [`spend_items`](Self::spend_items).
    ///
    /// # Errors
    ///
    /// As [`spend_items`](Self::spend_items).
    pub fn spend_bytes(&self, n: u64) -> Result<(), Cancellation> {
        self.spend(|budgets| budgets.bytes.as_ref(), n)
    }

    fn spend(
        &self,
        budget: impl FnOnce(&Budgets) -> Option<&Budget>,
        amount: u64,
    ) -> Result<(), Cancellation> {
        self.check()?;
        match self.record.budgets().and_then(budget) {
            Some(budget) if !budget.spend(amount) => {
                self.cancel_with(budget.why());
                self.check()
            }
            Some(_) | None => Ok(()),
        }
    }
}
