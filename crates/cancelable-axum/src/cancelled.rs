//! [`Cancelled`], a cancellation as a response.

use std::error::Error;
use std::fmt;
use std::ops::Deref;

use axum::response::{IntoResponse, Response};
use cancelable::Cancellation;
use cancelable_http::Answer;

/// A [`Cancellation`] that a handler may return: the same statuses that the layer answers with, by [`Answer`]. 504 where time
/// was up, 503 with `Retry-After` at a shutdown, 499 where the client has gone, else 503.
///
/// ```
/// use axum::response::IntoResponse;
/// use cancelable::{Cancelable, Operation, Reason};
/// use cancelable_axum::Cancelled;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// async fn slow() -> Result<&'static str, Cancelled> {
///     let limited = Cancelable::new().timeout(Duration::from_secs(1));
///     limited.run(async |_| std::future::pending::<()>().await).await?;
///     Ok("done")
/// }
///
/// let response = slow().await.into_response();
/// assert_eq!(response.status(), 504);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled(pub Cancellation);

impl IntoResponse for Cancelled {
    fn into_response(self) -> Response {
        Answer::to(&self.0).into_response()
    }
}

impl From<Cancellation> for Cancelled {
    fn from(why: Cancellation) -> Self {
        Self(why)
    }
}

impl Deref for Cancelled {
    type Target = Cancellation;

    fn deref(&self) -> &Cancellation {
        &self.0
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
