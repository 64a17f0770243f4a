//! The error type has to take up the cancellation, and to be shown where operations are looked at.

use std::fmt;

use cancelable::{Cancellation, Operation, cancelable};

#[derive(Debug)]
struct NotFrom;

impl fmt::Display for NotFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not from")
    }
}

#[derive(Debug)]
struct NotShown;

impl From<Cancellation> for NotShown {
    fn from(_: Cancellation) -> Self {
        Self
    }
}

#[cancelable]
async fn not_from(_: Operation) -> Result<(), NotFrom> {
    Err(NotFrom)
}

#[cancelable]
async fn not_shown(_: Operation) -> Result<(), NotShown> {
    Err(NotShown)
}

fn main() {}
