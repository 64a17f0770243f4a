//! A running operation: its record, the handle to it, and which one is current.

mod budget;
mod callbacks;
mod clock;
pub(crate) mod current;
mod handle;
mod record;

pub(crate) use budget::{Budgets, Share};
pub(crate) use callbacks::{Callbacks, OnEnd, OnProgress};
pub use handle::Operation;
pub(crate) use record::{About, Ending, Record};
