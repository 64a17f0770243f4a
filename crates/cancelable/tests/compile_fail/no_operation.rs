//! There is nothing to give the operation to.

use cancelable::{Cancellation, cancelable};

#[cancelable]
async fn work(count: u8) -> Result<u8, Cancellation> {
    Ok(count)
}

fn main() {}
