//! Options are all of one form.

use cancelable::{Cancellation, Operation, cancelable};

#[cancelable("10s")]
async fn no_name(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout)]
async fn no_value(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout("10s"))]
async fn in_parentheses(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout = )]
async fn nothing_after_it(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(timeout = "10s" name = "work")]
async fn no_comma(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(crate = cancelable)]
async fn crate_not_as_text(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

#[cancelable(crate = "not a path")]
async fn crate_not_a_path(op: Operation) -> Result<(), Cancellation> {
    op.check()
}

fn main() {}
