//! Callers do not see the parameter.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable]
async fn work(count: u8, op: Operation) -> Result<u8, Cancellation> {
    op.check()?;
    Ok(count)
}

async fn caller(op: Operation) -> Result<u8, Cancellation> {
    work(1, op).await
}

fn main() {
    drop(caller);
}
