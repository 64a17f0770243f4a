//! [`CurrentOperation`], an extractor for the operation that a request is.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use cancelable::Operation;
use http::StatusCode;
use http::request::Parts;

/// The operation that the request is, as an argument of a handler.
///
/// It is a handle like any other, to be cloned, and moved into what the handler gives to others. A route that runs with and
/// without the layer takes an `Option` of it.
///
/// ```
/// use cancelable_axum::{Cancelled, CurrentOperation};
///
/// async fn sum(op: CurrentOperation) -> Result<String, Cancelled> {
///     let sum = op.spawn_blocking(|| (1..=1_000_000_u64).sum::<u64>()).await?;
///     Ok(sum.to_string())
/// }
/// # let _ = axum::routing::get::<_, _, ()>(sum);
/// ```
#[derive(Clone, Debug)]
pub struct CurrentOperation(pub Operation);

/// Why there is no operation to extract: no layer makes the request one. Answered with status 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoOperation;

impl<S: Send + Sync> FromRequestParts<S> for CurrentOperation {
    type Rejection = NoOperation;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoOperation> {
        let operation = parts.extensions.get::<Operation>();
        operation.cloned().map(Self).ok_or(NoOperation)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for CurrentOperation {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Operation>().cloned().map(Self))
    }
}

impl Deref for CurrentOperation {
    type Target = Operation;

    fn deref(&self) -> &Operation {
        &self.0
    }
}

impl From<CurrentOperation> for Operation {
    fn from(current: CurrentOperation) -> Self {
        current.0
    }
}

impl fmt::Display for NoOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this request is not run as an operation: put `cancelable_axum::layer()` around the route, by `Router::layer` \
             after its routes, or take `Option<CurrentOperation>`",
        )
    }
}

impl Error for NoOperation {}

impl IntoResponse for NoOperation {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}
