//! A cancel has to reach the caller somehow, and a number cannot say why.

use cancelable::{Operation, cancelable};

#[cancelable]
async fn number(op: Operation) -> usize {
    op.id().len()
}

#[cancelable]
async fn tuple(op: Operation) -> (usize, Operation) {
    (op.id().len(), op)
}

#[cancelable]
async fn list(op: Operation) -> Vec<Operation> {
    vec![op]
}

fn main() {}
