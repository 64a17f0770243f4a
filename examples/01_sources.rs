//! What may end an operation: a time limit, a token, a condition, any future, and rules made of these.
//!
//! ```text
//! $ cargo run --example 01_sources
//! nothing happens      timeout: timed out after 500ms
//! a thread cancels     manual: closing time
//! a file appears       condition: condition 'stop file' was met after … checks
//! the caller hangs up  disconnected: the caller hung up
//! one of three agrees  timeout: timed out after 500ms
//! two of three agree   manual: yes from Ann, and yes from Cleo
//! ```
//!
//! Look for the reason and the message of whatever fired first. No task and no thread waits for any of these: the operation
//! polls them itself, and has dropped them when it ends.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::convert::Infallible;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io, thread};

use cancelable::source::{self, AnyOf, Source};
use cancelable::{Cancelable, Cancellation, CancellationToken, Reason};
use tokio::sync::oneshot;

const LIMIT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;

    let (plan, _remote) = remote_controlled(folder.path());
    show("nothing happens", plan).await;

    let (plan, remote) = remote_controlled(folder.path());
    thread::spawn(move || remote.stop.cancel_with("closing time"));
    show("a thread cancels", plan).await;

    let (plan, remote) = remote_controlled(folder.path());
    fs::write(&remote.stop_file, "")?;
    show("a file appears", plan).await;
    fs::remove_file(&remote.stop_file)?;

    let (plan, remote) = remote_controlled(folder.path());
    drop(remote.caller);
    show("the caller hangs up", plan).await;

    let [ann, bob, cleo] = [(); 3].map(|()| CancellationToken::new());
    ann.cancel_with("yes from Ann");
    let plan = Cancelable::new().source(two_of_three(&ann, &bob, &cleo));
    show("one of three agrees", plan).await;

    cleo.cancel_with("yes from Cleo");
    let plan = Cancelable::new().source(two_of_three(&ann, &bob, &cleo));
    show("two of three agree", plan).await;
    Ok(())
}

/// Runs what would never end by itself.
async fn show(what: &str, plan: Cancelable) {
    let Err(why) = plan
        .timeout(LIMIT)
        .run(async |_| pending::<Infallible>().await)
        .await;
    println!("{what:<20} {}: {why}", why.reason());
}

/// What somebody outside can do about an operation.
struct Remote {
    stop: CancellationToken,
    stop_file: PathBuf,
    caller: oneshot::Sender<()>,
}

/// An operation that any of three things ends, and what they hang on.
fn remote_controlled(folder: &Path) -> (Cancelable, Remote) {
    let (caller, hung_up) = oneshot::channel();
    let remote = Remote {
        stop: CancellationToken::new(),
        stop_file: folder.join("stop"),
        caller,
    };
    let stop_file = remote.stop_file.clone();
    let plan = Cancelable::new()
        .token(&remote.stop)
        // Asked on a thread that may block. If it fails, that is logged, and it is asked again.
        .condition("stop file", LOOK_EVERY, move || stop_file.try_exists())
        // Any future can be a source: what it returns says why.
        .source(source::from_future(async {
            let _ = hung_up.await;
            Cancellation::new(Reason::Disconnected).with_message("the caller hung up")
        }));
    (plan, remote)
}

/// A rule made of sources: any of the three pairs, of which both members have to fire.
fn two_of_three(a: &CancellationToken, b: &CancellationToken, c: &CancellationToken) -> AnyOf {
    let both = |a, b| source::token(a).and(source::token(b));
    source::any_of([both(a, b), both(b, c), both(a, c)])
}
