//! Finalizers: asynchronous cleanup that is run when the body is gone, whichever way it ended (O7).

use std::fmt::{self, Display};
use std::pin::Pin;
use std::time::Duration;

use super::Operation;
use crate::panic;

/// How long a finalizer may take where nothing was said.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

type Cleaning = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A finalizer that is waiting for its turn.
pub(crate) struct Finalizer {
    pub(crate) limit: Duration,
    make: Box<dyn FnOnce(Operation) -> Cleaning + Send>,
}

impl Finalizer {
    pub(crate) fn new<F, Fut>(limit: Option<Duration>, make: F) -> Self
    where
        F: FnOnce(Operation) -> Fut + Send + 'static,
        Fut: Future<Output: Cleanup> + Send + 'static,
    {
        Self {
            limit: limit.unwrap_or(LIMIT),
            make: Box::new(|operation| {
                let cleaning = make(operation);
                Box::pin(async { cleaning.await.cleaned_up() })
            }),
        }
    }

    /// Begins it. A panic there is a failure.
    pub(crate) fn begin(self, operation: Operation) -> Result<Cleaning, String> {
        let Self { make, .. } = self;
        panic::caught(|| make(operation))
    }
}

impl fmt::Debug for Finalizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finalizer")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// What a finalizer may return: nothing, or a `Result` whose error is logged.
#[diagnostic::on_unimplemented(
    message = "a finalizer cannot return `{Self}`",
    note = "return `()`, or a `Result` with an error that can be displayed"
)]
pub trait Cleanup {
    /// Whether it went well, or what went wrong.
    ///
    /// # Errors
    ///
    /// What the finalizer says went wrong.
    fn cleaned_up(self) -> Result<(), String>;
}

impl Cleanup for () {
    fn cleaned_up(self) -> Result<(), String> {
        Ok(())
    }
}

impl<T, E: Display> Cleanup for Result<T, E> {
    fn cleaned_up(self) -> Result<(), String> {
        self.map(drop).map_err(|error| error.to_string())
    }
}
