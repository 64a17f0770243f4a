//! A cancel has to reach the caller somehow.

use cancelable::{Operation, cancelable};

#[cancelable]
async fn work(op: Operation) {
    drop(op);
}

fn main() {}
