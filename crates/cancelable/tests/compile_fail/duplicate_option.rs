//! Of two limits in one place, one is an oversight.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable(timeout = "10s", name = "work", timeout = "5s")]
async fn work(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

fn main() {}
