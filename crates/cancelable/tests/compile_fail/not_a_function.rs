//! Only functions can be decorated.

use cancelable::{Cancellation, Operation, cancelable};

struct Worker;

#[cancelable]
impl Worker {
    async fn work(&self, op: Operation) -> Result<(), Cancellation> {
        op.check()
    }
}

#[cancelable(timeout = "10s")]
struct Work {
    _limit: u8,
}

trait Fetch {
    #[cancelable]
    async fn fetch(&self, op: Operation) -> Result<(), Cancellation>;
}

fn main() {}
