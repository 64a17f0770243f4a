//! A type of the same name that is not the one.

use cancelable::{Cancellation, cancelable};

struct Operation;

#[cancelable]
async fn work(op: Operation) -> Result<(), Cancellation> {
    drop(op);
    Ok(())
}

fn main() {}
