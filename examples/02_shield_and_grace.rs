//! Work that a cancel must not tear apart, and time to come to an end by itself: shields and grace.
//!
//! ```text
//! $ cargo run --example 02_shield_and_grace
//! bare      closing time: Ann has 70, Bob has 0
//! shielded  closing time: Ann has 70, Bob has 30
//! bounded   a shielded section took longer than its bound of 100ms
//! graceful  finished, and its last words are: good night
//! dawdling  closing time
//! ```
//!
//! Look for the 30 that are lost without a shield. A cancel drops the body at the await that it has reached, here after Ann
//! has paid and before Bob has got anything. With a shield the cancel is not lost either: it comes right after.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::future::pending;
use std::time::Duration;

use cancelable::{Cancelable, Operation};
use tempfile::TempDir;
use tokio::time::sleep;

const NETWORK: Duration = Duration::from_millis(50);
const BOUND: Duration = Duration::from_millis(100);
const LONG_GRACE: Duration = Duration::from_secs(60);
const SHORT_GRACE: Duration = Duration::from_millis(100);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let bank = Bank::open()?;
    let bare = async |op| bank.transfer(30, &op).await;
    if let Err(why) = Cancelable::new().try_run(bare).await {
        println!("bare      {why}: {}", bank.balances()?);
    }

    let bank = Bank::open()?;
    let shielded = async |op: Operation| op.shield(bank.transfer(30, &op)).await;
    if let Err(why) = Cancelable::new().try_run(shielded).await {
        println!("shielded  {why}: {}", bank.balances()?);
    }

    // A section that never ends would keep its operation from ending. Where that may be, give it a bound.
    let bounded = async |op: Operation| op.shield(pending::<Infallible>()).limit(BOUND).await;
    let Err(why) = Cancelable::new().run(bounded).await?;
    println!("bounded   {why}");

    // In its grace the body knows of the cancel, and may end by itself. What it returns counts.
    let graceful = async |op: Operation| {
        op.cancel_with("closing time");
        op.cancelled().await;
        sleep(NETWORK).await;
        "good night"
    };
    let words = Cancelable::new().grace(LONG_GRACE).run(graceful).await?;
    println!("graceful  finished, and its last words are: {words}");

    // When the grace is over it is dropped.
    let dawdling = async |op: Operation| {
        op.cancel_with("closing time");
        pending::<Infallible>().await
    };
    let Err(why) = Cancelable::new().grace(SHORT_GRACE).run(dawdling).await;
    println!("dawdling  {why}");
    Ok(())
}

/// A file for each account.
struct Bank {
    folder: TempDir,
}

impl Bank {
    fn open() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("Ann"), "100")?;
        fs::write(folder.path().join("Bob"), "0")?;
        Ok(Self { folder })
    }

    async fn transfer(&self, amount: i64, op: &Operation) -> Result<()> {
        self.add("Ann", -amount)?;
        // Somebody stops it at the worst moment.
        op.cancel_with("closing time");
        sleep(NETWORK).await;
        self.add("Bob", amount)
    }

    fn add(&self, who: &str, amount: i64) -> Result<()> {
        let balance = self.balance(who)? + amount;
        fs::write(self.folder.path().join(who), balance.to_string())?;
        Ok(())
    }

    fn balance(&self, who: &str) -> Result<i64> {
        Ok(fs::read_to_string(self.folder.path().join(who))?.parse()?)
    }

    fn balances(&self) -> Result<String> {
        let (ann, bob) = (self.balance("Ann")?, self.balance("Bob")?);
        Ok(format!("Ann has {ann}, Bob has {bob}"))
    }
}
