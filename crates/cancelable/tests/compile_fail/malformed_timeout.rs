//! A time limit that is no time, or none at all.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable(timeout = "soon")]
async fn no_number(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout = "10")]
async fn no_unit(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout = "10 parsecs")]
async fn no_unit_of_time(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout = "0s")]
async fn zero(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout = 10)]
async fn number(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

fn main() {}
