//! A function with a time limit works through a stream, until a plain thread cancels it.
//!
//!     cargo run --example quickstart          # takes five seconds
//!     cargo run --example quickstart -- 10    # everything ten times as fast
//!
//! Look for the progress of each item, a report after every ten, and how it ends: 100 items would take ten seconds, so about
//! half of them are done when the thread loses its patience. What was done by then is not lost.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::time::Duration;
use std::{env, thread};

use cancelable::{Cancellation, CancellationToken, Operation, Progress, cancelable};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(5);
const ITEM_EVERY: Duration = Duration::from_millis(100);
const ITEMS: u64 = 100;

struct Item {
    id: u64,
    data: String,
}

fn on_progress(_op: &Operation, progress: &Progress) {
    let message = &progress.message;
    match progress.fraction() {
        Some(part) => println!("[Progress] {message} ({:.0}%)", part * 100.0), // (2)
        None => println!("[Progress] {message}"),
    }
}

#[cancelable(timeout = "10s", name = "data_processor")] // (3)
async fn process_data(
    items: impl Stream<Item = Item>,
    token: &CancellationToken,
    processed: &mut Vec<Item>,
    op: Operation,
) -> Result<(), Cancellation> {
    op.on_progress(on_progress);
    op.link(token); // (4)

    let mut items = std::pin::pin!(op.stream(items).report_every(10)); // (5)
    while let Some(item) = items.next().await {
        let item = item?;
        let message = format!("Processing item {}", item.id);
        let progress = Progress::new(message).step(item.id, ITEMS);
        op.report_progress(progress.with("data", item.data.as_str())); // (6)
        processed.push(item);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let speed = env::args().nth(1).map_or(1, |arg| {
        arg.parse().expect("a whole number: how many times as fast")
    });

    // A thread knows nothing of async code; the token is all that it needs.
    let token = CancellationToken::new();
    let monitor = token.clone();
    thread::spawn(move || {
        thread::sleep(PATIENCE / speed);
        monitor.cancel_with("Cancelled by monitor"); // (1)
    });

    let items = stream::iter(0..ITEMS).then(|id| async move {
        sleep(ITEM_EVERY / speed).await;
        Item {
            id,
            data: format!("item_{id}"),
        }
    });

    // The list is the caller's, so it is still there when the function's body is not.
    let mut processed = Vec::new();
    let outcome = process_data(items, &token, &mut processed).await;
    println!("Processed {} items", processed.len());
    if let Err(why) = outcome {
        println!("Cancelled: {why}"); // (7)
    }
}

// 1. From any thread; the message is what the caller gets in the end.
// 2. Called with each report: the function's own, and the stream's.
// 3. The time limit and the name. The function is given its `Operation`, so `main` calls it without.
// 4. The time limit and the token: whichever fires first ends it.
// 5. Each item comes as `Ok`, a cancel as one last `Err`; and after every ten items there is a report.
// 6. With how far it is, and whatever else belongs to the report.
// 7. Why it was cancelled: here the token's message, after ten seconds it would be `timed out after 10s`.
