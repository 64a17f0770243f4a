//! No function is both: the compiler says so of a decorated one as of any other.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable]
const async fn work(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

fn main() {}
