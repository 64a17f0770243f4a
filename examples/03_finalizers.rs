//! Clean-up that may await, and is done whichever way an operation ends: finalizers.
//!
//! ```text
//! $ cargo run --example 03_finalizers
//! it finishes
//!     the journal is closed
//!     the lock is removed
//!     3 rows are updated
//! it fails
//!     the journal is closed
//!     the lock is removed
//!     error: the disk is full
//! it is dropped
//!     the client is gone
//!     the journal is closed
//!     the lock is removed
//! it takes too long
//!     the journal is closed
//!     the lock is removed
//!     error: timed out after 100ms
//! ```
//!
//! Look for the order: what was registered last is done first. And each update could begin, since the one before had not left
//! its lock file behind, not even the one that was dropped in the middle.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::error::Error;
use std::fs::File;
use std::future::{pending, ready};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cancelable::Cancelable;
use tokio::sync::watch;
use tokio::{fs, select};

const LIMIT: Duration = Duration::from_millis(100);
/// How long a finalizer may take, since it is cancelled by nothing else. Where nothing is said, it is 30 seconds.
const CLEAN_UP: Duration = Duration::from_secs(5);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let table = Table {
        lock: folder.path().join("lock"),
        is_locked: watch::Sender::new(false),
    };

    println!("it finishes");
    show(table.update(ready(Ok(3))).await);

    println!("it fails");
    show(table.update(ready(Err("the disk is full".into()))).await);

    println!("it is dropped");
    select! {
        biased;
        outcome = table.update(pending()) => show(outcome),
        () = ready(()) => println!("    the client is gone"),
    }
    // Nobody awaits the update any more, so its finalizers run as a task.
    let mut is_locked = table.is_locked.subscribe();
    is_locked.wait_for(|is_locked| !is_locked).await?;

    println!("it takes too long");
    show(table.update(pending()).await);
    Ok(())
}

fn show(outcome: Result<u32>) {
    match outcome {
        Ok(rows) => println!("    {rows} rows are updated"),
        Err(why) => println!("    error: {why}"),
    }
}

/// Whoever updates it has the lock file meanwhile.
struct Table {
    lock: PathBuf,
    is_locked: watch::Sender<bool>,
}

impl Table {
    async fn update(&self, work: impl Future<Output = Result<u32>>) -> Result<u32> {
        let (lock, is_locked) = (self.lock.clone(), self.is_locked.clone());
        let plan = Cancelable::new().timeout(LIMIT);
        plan.try_run(async |op| {
            // Refused where there is one. No await stands between the lock and the promise to remove it.
            File::create_new(&lock)?;
            is_locked.send_replace(true);
            op.finalizer(CLEAN_UP, async move |_| {
                fs::remove_file(lock).await?;
                println!("    the lock is removed");
                is_locked.send_replace(false);
                // What fails here is logged, and changes no result.
                Ok::<_, io::Error>(())
            });
            op.finalizer(CLEAN_UP, async |_| println!("    the journal is closed"));
            work.await
        })
        .await
    }
}
