//! The operation is the body's own, so a reference, or anything around it, is not what is given.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable]
async fn reference(op: &Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable]
async fn option(count: u8, op: Option<Operation>) -> Result<u8, Cancellation> {
    drop(op);
    Ok(count)
}

fn main() {}
