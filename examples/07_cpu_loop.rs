//! Loops that compute and never await: `checkpoint()` ends them, on a thread, and in the closures of rayon.
//!
//! ```text
//! $ cargo run --example 07_cpu_loop
//! in the body  1229 primes below 10000; all of them: timed out after 100ms
//! on a thread  1229 primes below 10000; all of them: timed out after 100ms
//! in rayon     1229 primes below 10000; all of them: timed out after 100ms
//! ```
//!
//! Look at `is_prime`: it was handed nothing, and ends with the operation that it is called in. The first row has a body
//! without any await, which nobody could drop; it hears of its time limit all the same. On rayon's threads no operation is
//! current, so each closure works `within` one.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::time::Duration;

use cancelable::{Cancelable, Cancellation, Operation, checkpoint};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

const FEW: u64 = 10_000;
const ALL: u64 = u64::MAX;
const TIME_ENOUGH: Duration = Duration::from_secs(60);
const TOO_LITTLE: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, Cancellation>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    show("in the body", async |_, below| count(below)).await?;
    show("on a thread", async |op, below| {
        op.spawn_blocking(move || count(below)).await?
    })
    .await?;
    show("in rayon", async |op, below| {
        let caller = op.clone();
        op.spawn_blocking(move || count_in_parallel(&caller, below))
            .await?
    })
    .await
}

async fn show(place: &str, count: impl AsyncFn(Operation, u64) -> Result<u64>) -> Result<()> {
    let count_within = async |limit, below| {
        let plan = Cancelable::new().timeout(limit);
        plan.try_run(async |op| count(op, below).await).await
    };
    let few = count_within(TIME_ENOUGH, FEW).await?;
    match count_within(TOO_LITTLE, ALL).await {
        Ok(all) => println!("{place:<12} {few} primes below {FEW}; {all} in all"),
        Err(why) => println!("{place:<12} {few} primes below {FEW}; all of them: {why}"),
    }
    Ok(())
}

fn count(below: u64) -> Result<u64> {
    (0..below).map(|n| Ok(u64::from(is_prime(n)?))).sum()
}

fn count_in_parallel(op: &Operation, below: u64) -> Result<u64> {
    (0..below)
        .into_par_iter()
        .map(|n| Ok(u64::from(op.within(|| is_prime(n))?)))
        .try_reduce(|| 0, |some, more| Ok(some + more))
}

fn is_prime(n: u64) -> Result<bool> {
    for divisor in (2..n).take_while(|divisor| divisor * divisor <= n) {
        checkpoint()?;
        if n.is_multiple_of(divisor) {
            return Ok(false);
        }
    }
    Ok(n > 1)
}
