//! Clients whose calls are over with the operation that makes them.

mod calls;
mod grpc;
mod hammer;
#[cfg(feature = "reqwest")]
mod requests;

use std::time::Duration;

use tokio::time::timeout;

/// What happens on loopback is quick, or never happens.
async fn bounded<F: Future>(future: F) -> F::Output {
    let limit = Duration::from_secs(20);
    timeout(limit, future).await.expect("it does not hang")
}
