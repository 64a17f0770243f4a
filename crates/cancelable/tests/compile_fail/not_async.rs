//! A function that is not async has nothing to drop at an await.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable(timeout = "10s")]
fn work(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

fn main() {}
