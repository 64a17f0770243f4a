//! What is misspelt must not pass for something that was said.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable(timeot = "10s")]
async fn work(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

fn main() {
    // The function is there all the same, so this is no second error.
    drop(work());
}
