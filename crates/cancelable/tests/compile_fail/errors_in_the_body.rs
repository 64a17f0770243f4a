//! What is wrong in a body is shown where it is written, as in a plain function.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable(timeout = "10s")]
async fn value(op: Operation) -> Result<u8, Cancellation> {
    op.check()?;
    Ok("text")
}

#[cancelable]
async fn nothing(op: Operation) -> Result<u8, Cancellation> {
    op.check()?;
}

#[cancelable]
async fn conversion(text: &str, _: Operation) -> Result<u8, Cancellation> {
    Ok(text.parse()?)
}

#[cancelable]
async fn names(_: Operation) -> Result<u8, Cancellation> {
    Ok(unknown)
}

#[cancelable]
async fn types(_: Operation) -> Result<Unknown, Cancellation> {
    Ok(1)
}

fn main() {}
