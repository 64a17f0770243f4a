//! The future of a decorated function is as little `Send` as its body.

use std::rc::Rc;

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable]
async fn work(_: Operation) -> Result<u8, Cancellation> {
    let count = Rc::new(1);
    std::future::ready(()).await;
    Ok(*count)
}

fn is_send(_: impl Send) {}

fn main() {
    is_send(work());
}
