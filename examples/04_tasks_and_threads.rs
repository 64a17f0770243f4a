//! Tasks and threads that are an operation's own: told when it is, and awaited before it ends, so that none is left behind.
//!
//! ```text
//! $ cargo run --example 04_tasks_and_threads
//! awaited    2 lines, 6 words
//! forgotten  2 helpers as the body returns, 0 once the operation has ended
//! cancelled  3 helpers as it is cancelled, 0 once the operation has ended: that is enough
//! ```
//!
//! Look for the zeros. A task is dropped at the await that it has reached. A thread cannot be dropped, so it has to ask, by
//! `checkpoint()`. That takes no handle: in the tasks and threads of an operation, that operation is the current one.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, checkpoint};
use tempfile::NamedTempFile;
use tokio::time::sleep;

const WORK: Duration = Duration::from_millis(50);
const STEP: Duration = Duration::from_millis(1);

type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let text = NamedTempFile::new()?;
    fs::write(&text, "to be\nor not to be\n")?;
    let (lines, words) = awaited(text.path()).await?;
    println!("awaited    {lines} lines, {words} words");
    forgotten().await?;
    cancelled().await;
    Ok(())
}

/// A handle gives what its task or thread returns, or why it did not.
async fn awaited(text: &Path) -> Result<(usize, usize), Failure> {
    let (path, same) = (text.to_owned(), text.to_owned());
    let plan = Cancelable::new();
    plan.try_run(async |op| {
        let thread = op.spawn_blocking(|| fs::read_to_string(path));
        let task = op.spawn(tokio::fs::read_to_string(same));
        let lines = thread.await??.lines().count();
        let words = task.await??.split_whitespace().count();
        Ok((lines, words))
    })
    .await
}

/// A handle may be dropped. The operation waits for the task all the same.
async fn forgotten() -> Result<(), Cancellation> {
    let helpers = Helpers::default();
    let plan = Cancelable::new();
    let before = plan.run(async |op| {
        for helper in [helpers.one_more(), helpers.one_more()] {
            drop(op.spawn(async move {
                sleep(WORK).await;
                drop(helper);
            }));
        }
        helpers.count()
    });
    let (before, after) = (before.await?, helpers.count());
    println!(
        "forgotten  {before} helpers as the body returns, {after} once the operation has ended"
    );
    Ok(())
}

async fn cancelled() {
    let helpers = Helpers::default();
    let plan = Cancelable::new();
    let mut before = 0;
    let outcome = plan.run(async |op| {
        for helper in [helpers.one_more(), helpers.one_more()] {
            drop(op.spawn(async move {
                let _helper = helper;
                pending::<()>().await;
            }));
        }
        let helper = helpers.one_more();
        drop(op.spawn_blocking(move || {
            let _helper = helper;
            for_ever()
        }));
        sleep(WORK).await;
        before = helpers.count();
        op.cancel_with("that is enough");
        pending::<Infallible>().await
    });
    let (Err(why), after) = (outcome.await, helpers.count());
    println!(
        "cancelled  {before} helpers as it is cancelled, {after} once the operation has ended: {why}"
    );
}

/// What knows of no operation, and ends with whichever calls it.
fn for_ever() -> Result<Infallible, Cancellation> {
    loop {
        checkpoint()?;
        thread::sleep(STEP);
    }
}

/// Counts those who are there: each holds a clone for as long as it is.
#[derive(Default)]
struct Helpers(Arc<()>);

impl Helpers {
    fn one_more(&self) -> Arc<()> {
        Arc::clone(&self.0)
    }

    fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}
