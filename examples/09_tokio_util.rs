//! A token shared with code that knows only tokio-util's: a cancel of either reaches the other.
//!
//! ```text
//! $ cargo run --example 09_tokio_util
//! the server answers: hello
//! we cancel ours: the server has ended, and served 1 client
//! they cancel theirs: our operation has ended, since a token of tokio-util was cancelled
//! ```
//!
//! Look at `echo`, which stands for what other crates have: it takes a token of tokio-util, and knows nothing of ours. No task
//! stands between the two tokens.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::io;
use std::net::SocketAddr;

use cancelable::{Cancelable, CancellationToken, TokioUtilTokens};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken as TheirToken;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (ours, theirs) = (CancellationToken::new(), TheirToken::new());
    // One link each way. A link lasts as long as what is returned here.
    let _there = ours.lead_tokio_util(&theirs);
    let _back = ours.follow_tokio_util(&theirs);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(echo(listener, theirs));
    println!("the server answers: {}", ask(address, "hello").await?);
    ours.cancel_with("closing time");
    let served = server.await??;
    println!("we cancel ours: the server has ended, and served {served} client");

    let (ours, theirs) = (CancellationToken::new(), TheirToken::new());
    let _back = ours.follow_tokio_util(&theirs);
    let plan = Cancelable::new().token(&ours);
    let Err(why) = plan
        .run(async |_| {
            theirs.cancel();
            pending::<Infallible>().await
        })
        .await;
    println!("they cancel theirs: our operation has ended, since {why}");
    Ok(())
}

/// Serves one client after the other until it is to stop, and says how many there were.
async fn echo(listener: TcpListener, stop: TheirToken) -> io::Result<u32> {
    let mut served = 0;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (mut client, _) = accepted?;
        let (mut input, mut output) = client.split();
        copy(&mut input, &mut output).await?;
        served += 1;
    }
    Ok(served)
}

async fn ask(server: SocketAddr, question: &str) -> io::Result<String> {
    let mut server = TcpStream::connect(server).await?;
    server.write_all(question.as_bytes()).await?;
    server.shutdown().await?;
    let mut answer = String::new();
    server.read_to_string(&mut answer).await?;
    Ok(answer)
}
