//! [`AsError`]: errors, and boxes of errors, which are none themselves; and finding a cancel in one.

use std::error::Error;
use std::io;
use std::iter;

use cancelable_core::Cancellation;

/// What an attempt may fail with: an error, a `Box<dyn Error>`, or what is [`AsRef<dyn Error>`](AsRef), as an `anyhow::Error` is.
///
/// A box of any error is no error in Rust, so there is one way in for each, and `Kind` says which; it is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither an error nor a box of one",
    label = "cannot look into this for a cancel",
    note = "what an attempt fails with implements `std::error::Error`, or `AsRef<dyn Error + 'static>` as `anyhow::Error` does"
)]
pub trait AsError<Kind: ?Sized> {
    /// The error.
    fn as_error(&self) -> &(dyn Error + 'static);
}

impl<E: Error + 'static> AsError<()> for E {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}

impl<E: AsRef<dyn Error + 'static>> AsError<dyn Error> for E {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self.as_ref()
    }
}

impl AsError<Box<dyn Error + Send + Sync>> for Box<dyn Error + Send + Sync> {
    fn as_error(&self) -> &(dyn Error + 'static) {
        &**self
    }
}

/// The cancellation that `error` is, or that is in its chain of sources.
pub(super) fn cancellation_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Cancellation> {
    iter::successors(Some(error), |&error| below(error)).find_map(|error| error.downcast_ref())
}

/// What lies below `error`. An `io::Error` passes over the error in it, as if it were that one.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let inside = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match inside {
        Some(inside) => Some(inside),
        None => error.source(),
    }
}
