//! [`streaming`], bytes that are over with their operation.

use std::error::Error;

use axum::body::Body;
use bytes::Bytes;
use cancelable::Operation;
use futures_core::Stream;
use futures_util::StreamExt;

/// A body of what `chunks` gives, for as long as `operation` is not cancelled.
///
/// The stream is dropped at once when the client leaves, or the operation is cancelled for another reason. Then the body ends
/// with the [`Cancellation`](cancelable::Cancellation) as its error, so that the connection is cut, or the stream of HTTP/2 reset: no
/// client takes a part for the whole. What has gone out counts as the operation's items, and its bytes spend its
/// [budget](cancelable::Cancelable::max_bytes).
///
/// ```
/// use axum::response::IntoResponse;
/// use cancelable_axum::{CurrentOperation, streaming};
/// use futures_util::stream;
/// use std::io;
///
/// async fn numbers(op: CurrentOperation) -> impl IntoResponse {
///     let lines = stream::iter(1..=3).map(|number| Ok::<_, io::Error>(format!("{number}\n")));
///     streaming(&op, lines)
/// }
/// # use futures_util::StreamExt;
/// # let _ = axum::routing::get::<_, _, ()>(numbers);
/// ```
pub fn streaming<S, T, E>(operation: &Operation, chunks: S) -> Body
where
    S: Stream<Item = Result<T, E>> + Send + 'static,
    T: Into<Bytes> + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let chunks = chunks.map(|chunk| match chunk {
        Ok(chunk) => Ok(chunk.into()),
        Err(error) => Err(error.into()),
    });
    let chunks = operation.stream(chunks).bytes_by(length);
    Body::from_stream(chunks.map(|chunk| match chunk {
        Ok(chunk) => chunk,
        Err(why) => Err(why.into()),
    }))
}

type Chunk = Result<Bytes, Box<dyn Error + Send + Sync>>;

fn length(chunk: &Chunk) -> u64 {
    chunk.as_ref().map_or(0, |chunk| chunk.len() as u64)
}
