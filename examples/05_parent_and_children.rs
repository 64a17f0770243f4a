//! Operations inside operations: what ends a parent ends its children, and never the other way round.
//!
//! ```text
//! $ cargo run --example 05_parent_and_children
//! batch hears of first: row 10 of 10
//! first completed
//! second cancelled: timed out after 50ms
//! third cancelled: parent operation batch was cancelled: closing time
//! batch cancelled: closing time
//! elsewhere cancelled: parent operation batch was cancelled: closing time
//! detached completed
//! ```
//!
//! Look for who is ended by what. The time limit of `second` ends that one alone. The end of the batch takes its children
//! along, also the one in a task of its own, and they name the root cause. `detached` was begun there as well, and goes on.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use cancelable::{Cancelable, Operation, OperationContext, Progress};
use tokio::join;
use tokio::task::JoinSet;
use tokio::time::sleep;

const LIMIT: Duration = Duration::from_millis(50);
const WORK: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut tasks = JoinSet::new();
    let mut detached = pin!(telling("detached").detached().run(|_| sleep(WORK)));

    let batch = telling("batch").id("batch").on_progress(hear);
    let outcome = batch.run(async |batch| {
        // What runs in the body is a child. In a task of its own it has to be told whose.
        let elsewhere = telling("elsewhere").parent(&batch);
        tasks.spawn(elsewhere.run(|_| pending::<()>()));

        let first = telling("first").run(async |op| {
            op.report_progress(Progress::new("row 10 of 10").step(10, 10));
        });
        let second = async {
            let limited = telling("second").timeout(LIMIT);
            if limited.run(|_| pending::<()>()).await.is_err() {
                batch.cancel_with("closing time");
            }
        };
        let third = telling("third").run(|_| pending::<()>());
        join!(first, second, third, detached.as_mut())
    });

    // How they ended was told by callbacks.
    let _ = outcome.await;
    tasks.join_all().await;
    let _ = detached.await;
}

/// Hears the reports of an operation, and of all inside it.
fn hear(op: &Operation, progress: &Progress) {
    let name = op.name().unwrap_or_default();
    println!("batch hears of {name}: {}", progress.message);
}

/// An operation that tells how it ended.
fn telling(name: &str) -> Cancelable {
    Cancelable::new()
        .name(name)
        .on_complete(tell)
        .on_cancel(tell)
}

fn tell(end: &OperationContext) {
    let (name, status) = (end.name.as_deref().unwrap_or_default(), end.status);
    match &end.cancellation {
        // So formatted, the root cause follows the message.
        Some(why) => println!("{name} {status}: {why:#}"),
        None => println!("{name} {status}"),
    }
}
