//! Trying again, with a back-off in between, for as long as there is a point in it: retry.
//!
//! ```text
//! $ cargo run --example 10_retry
//! it is busy
//!     attempt 1: please wait; the next begins in 125ms
//!     attempt 2: please wait; the next begins in 250ms
//!     hello
//! it is no use
//!     gave up after 1 attempt, as no other would help: no such page
//! it would be too late
//!     gave up after 1 attempt, as the next needs 60s with …s left: please wait
//! it is cancelled
//!     attempt 1: please wait; the next begins in 60s
//!     stopped after 1 attempt: closing time
//! ```
//!
//! Look at the last two, which end at once. Nobody sleeps for a minute where ten seconds are left. And a cancel ends the
//! back-off, and is never retried itself.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use cancelable::Cancelable;
use cancelable::retry::RetryError;
use cancelable::retry::backon::ExponentialBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::spawn;

const SHORT: Duration = Duration::from_millis(125);
const LONG: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let answers = ["busy", "busy", "hello", "gone", "busy", "busy"];
    spawn(serve(listener, answers));

    println!("it is busy");
    show(ask(server, Cancelable::new(), SHORT).await);

    println!("it is no use");
    show(ask(server, Cancelable::new(), SHORT).await);

    println!("it would be too late");
    let limited = Cancelable::new().timeout(LIMIT);
    show(ask(server, limited, LONG).await);

    println!("it is cancelled");
    // Each attempt that failed is a report of progress.
    let impatient = Cancelable::new().on_progress(|op, _| {
        op.cancel_with("closing time");
    });
    show(ask(server, impatient, LONG).await);
    Ok(())
}

/// Asks until there is an answer. The first back-off has this length, and each that follows is twice as long.
async fn ask(
    server: SocketAddr,
    plan: Cancelable,
    back_off: Duration,
) -> Result<String, RetryError<io::Error>> {
    let back_off = ExponentialBuilder::new().with_min_delay(back_off);
    plan.try_run(async |op| {
        op.retry(back_off, async |_| ask_once(server).await)
            .when(|error| error.kind() == ErrorKind::ResourceBusy)
            .notify(|failed, delay| {
                let number = failed.number();
                println!("    attempt {number}: {failed}; the next begins in {delay:?}");
            })
            .run()
            .await
    })
    .await
}

async fn ask_once(server: SocketAddr) -> io::Result<String> {
    let mut server = TcpStream::connect(server).await?;
    let mut answer = String::new();
    server.read_to_string(&mut answer).await?;
    match answer.as_str() {
        "busy" => Err(io::Error::new(ErrorKind::ResourceBusy, "please wait")),
        "gone" => Err(io::Error::new(ErrorKind::NotFound, "no such page")),
        _ => Ok(answer),
    }
}

fn show(outcome: Result<String, RetryError<io::Error>>) {
    match outcome {
        Ok(answer) => println!("    {answer}"),
        Err(error) => println!("    {error}"),
    }
}

/// Gives each client one of the answers.
async fn serve<const N: usize>(listener: TcpListener, answers: [&str; N]) -> io::Result<()> {
    for answer in answers {
        let (mut client, _) = listener.accept().await?;
        client.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
