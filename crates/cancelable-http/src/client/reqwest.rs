//! The same for reqwest's client.

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::caller::{Caller, Race};
use crate::DeadlineHeader;

/// A [`DeadlineLayer`](super::DeadlineLayer) for reqwest's client (feature `reqwest`): ends each call with the operation that
/// makes it, and sends what remains of that.
///
/// A call that is ended so has a [`CallCancelled`](super::CallCancelled) in its error, which
/// [`find`](super::CallCancelled::find) finds. It belongs after a middleware that tries again, so that each attempt says what
/// remains by then. A redirect that the client follows by itself is the same call, and says the same again. The body of a response
/// is read after the call, and dropped with whoever reads it.
///
/// ```no_run
/// # async fn all() -> Result<(), Box<dyn std::error::Error>> {
/// use cancelable::Cancelable;
/// use cancelable_http::DeadlineMiddleware;
/// use std::time::Duration;
///
/// let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
///     .with(DeadlineMiddleware::new())
///     .build();
/// let text = Cancelable::new()
///     .timeout(Duration::from_secs(2))
///     .run(async |_| client.get("http://localhost:8000/slow").send().await?.error_for_status()?.text().await.map_err(Into::into))
///     .await?;
/// # let text: reqwest_middleware::Result<String> = text;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DeadlineMiddleware {
    header: DeadlineHeader,
}

impl DeadlineMiddleware {
    /// Sends [`x-cancelable-timeout-ms`](DeadlineHeader::Own).
    pub fn new() -> Self {
        Self::sending(DeadlineHeader::Own)
    }

    /// Sends `header`.
    pub fn sending(header: DeadlineHeader) -> Self {
        Self { header }
    }
}

impl Default for DeadlineMiddleware {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Middleware for DeadlineMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let caller = Caller::announce(self.header, request.headers_mut());
        let caller = caller.map_err(Error::middleware)?;
        let call = next.run(request, extensions);
        Race::new(call, caller).await.map_err(Error::middleware)?
    }
}
