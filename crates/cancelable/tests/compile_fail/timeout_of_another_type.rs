//! An expression has to be a `Duration`, a name has to become a `String`.

use cancelable::{Cancellation, Operation, cancelable};

const SECONDS: u64 = 10;

#[cancelable(timeout = SECONDS)]
async fn limited(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(name = 7)]
async fn named(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

fn main() {}
