//! An attribute sees names, not types.

use cancelable::{Cancellation, Operation as Op, cancelable};

#[cancelable]
async fn work(op: Op) -> Result<(), Cancellation> {
    op.check()
}

fn main() {}
