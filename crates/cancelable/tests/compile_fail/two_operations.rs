//! One operation is given; whose the other would be, nobody could tell.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable]
async fn work(op: Operation, other: cancelable::Operation) -> Result<(), Cancellation> {
    op.check()?;
    other.check()
}

fn main() {}
