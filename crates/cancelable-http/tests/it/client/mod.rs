//! Clients whose calls are over with the operation that makes them.

mod calls;
mod grpc;
#[cfg(feature = "reqwest")]
mod requests;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

/// What happens on loopback is quick, or never happens.
async fn bounded<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(20);
    timeout(limit, future).await.expect("it does not hang")
}

/// Says so when it is dropped.
struct TellsOfDrop(mpsc::UnboundedSender<&'static str>);

impl Drop for TellsOfDrop {
    fn drop(&mut self) {
        // A test that is over does not listen any more.
        let _ = self.0.send("dropped");
    }
}
