//! What the end of a body means for its operation, and for the caller.

use std::fmt::Display;

use cancelable_core::Cancellation;

use crate::operation::Ending;
use crate::panic;

/// How `run` and `try_run` judge what a body returned.
pub(super) trait Verdict<T> {
    /// What the caller gets.
    type Output;

    /// How an operation ends whose body has returned this, after it was asked to stop or not.
    fn ending(value: &T, was_asked: bool) -> Ending;

    /// The body has returned this.
    fn returned(value: T) -> Self::Output;

    /// The body was dropped, or never polled, because of this.
    fn cancelled(why: Cancellation) -> Self::Output;
}

/// The error's text. Its `Display` is somebody else's code, and the operation has to end.
fn shown(error: &impl Display) -> String {
    panic::caught(|| error.to_string())
        .unwrap_or_else(|_| "an error that panics as it is shown".to_owned())
}

/// Any value is a success.
pub(super) struct AnyValue;

impl<T> Verdict<T> for AnyValue {
    type Output = Result<T, Cancellation>;

    fn ending(_value: &T, _was_asked: bool) -> Ending {
        Ending::Completed
    }

    fn returned(value: T) -> Self::Output {
        Ok(value)
    }

    fn cancelled(why: Cancellation) -> Self::Output {
        Err(why)
    }
}

/// An error is a failure, or after an ask the body's way of stopping (O2).
pub(super) struct OkOrError;

impl<T, E: From<Cancellation> + Display> Verdict<Result<T, E>> for OkOrError {
    type Output = Result<T, E>;

    fn ending(value: &Result<T, E>, was_asked: bool) -> Ending {
        match value {
            Ok(_) => Ending::Completed,
            Err(_) if was_asked => Ending::Cancelled,
            Err(error) => Ending::Failed(shown(error)),
        }
    }

    fn returned(value: Result<T, E>) -> Self::Output {
        value
    }

    fn cancelled(why: Cancellation) -> Self::Output {
        Err(E::from(why))
    }
}
