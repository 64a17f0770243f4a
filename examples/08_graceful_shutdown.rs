//! A service that is asked to stop by a signal: it finishes the job in hand, begins no other, and says how it ended.
//!
//! ```text
//! $ cargo run --example 08_graceful_shutdown
//! job 1 begun
//! ^C
//! stopping; a second signal ends the process at once, without finalizers
//! job 1 done
//! 9 jobs go back to the queue
//! asked to stop: received signal SIGINT (2)
//! $ echo $?
//! 130
//! ```
//!
//! Here `^C` is Ctrl-C. By `kill`, as service managers do it, the signal is SIGTERM (15), and the exit code 143. A job that takes
//! longer than the grace of two seconds is given up:
//!
//! ```text
//! $ cargo run --example 08_graceful_shutdown -- 60
//! job 1 begun
//! ^C
//! stopping; a second signal ends the process at once, without finalizers
//! 10 jobs go back to the queue
//! asked to stop: received signal SIGINT (2)
//! $ echo $?
//! 130
//! ```
//!
//! And whoever has no patience presses it twice. Then the signal does what it does by default:
//!
//! ```text
//! $ cargo run --example 08_graceful_shutdown -- 60
//! job 1 begun
//! ^C
//! stopping; a second signal ends the process at once, without finalizers
//! ^C
//! $ echo $?
//! 130
//! ```
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, Operation, Origin, Signal};
use tokio::time::sleep;

const JOBS: u32 = 10;
const SECONDS_EACH: u64 = 1;
const GRACE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let seconds = env::args().nth(1);
    let seconds = seconds.map_or(Ok(SECONDS_EACH), |seconds| seconds.parse())?;
    let each = Duration::from_secs(seconds);

    let done = Arc::new(AtomicU32::new(0));
    let service = Cancelable::new()
        .signal(Signal::INTERRUPT)
        .signal(Signal::TERMINATE)
        .grace(GRACE)
        .finalizer(None, {
            let done = done.clone();
            async move |_| {
                // Relaxed: all of this is one thread.
                let left = JOBS - done.load(Ordering::Relaxed);
                println!("{left} jobs go back to the queue");
            }
        });
    match service
        .try_run(async |op| work(&op, each, &done).await)
        .await
    {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(why) => {
            println!("asked to stop: {why}");
            Ok(exit_code(&why))
        }
    }
}

async fn work(op: &Operation, each: Duration, done: &AtomicU32) -> Result<(), Cancellation> {
    for job in 1..=JOBS {
        // In its grace the job goes on, and the next is not begun.
        op.check()?;
        println!("job {job} begun");
        sleep(each).await;
        done.store(job, Ordering::Relaxed);
        println!("job {job} done");
    }
    Ok(())
}

/// What a shell makes of a process that a signal has ended.
fn exit_code(why: &Cancellation) -> ExitCode {
    match why.origin() {
        Origin::Signal { number, .. } => {
            u8::try_from(128 + number).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        _ => ExitCode::FAILURE,
    }
}
