//! [`Source`], what a source is to an operation, and a box for any of them.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::Cancellation;
use tokio::time::Instant;

use super::{AllOf, AnyOf, all_of, any_of};

/// A future that says why an operation is to end, and that may know when at the latest.
///
/// An operation tells its sources of its [start](Self::begin), polls them whenever its body has to wait, and drops them as it
/// ends. It never polls one that has fired. One that panics is a bug in the program, as a body that panics is: the operation
/// ends Failed, and the panic goes on; but one that panics as it is dropped changes nothing any more, and is logged.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source",
    note = "make a source of a future with `source::from_future(future)`; what it returns is to be a message, a `Reason` or a \
            `Cancellation`"
)]
#[must_use = "a source does nothing unless an operation is given it"]
pub trait Source: Future<Output = Cancellation> + Send {
    /// Told once, as the operation that it acts on starts, and before the first poll: its limits count from `start`.
    ///
    /// What is returned here says that it has fired already: then the body is never polled, nor is this source. The
    /// default does nothing. One that was polled without having been told begins with that poll.
    fn begin(self: Pin<&mut Self>, start: Instant) -> Option<Cancellation> {
        let _ = start;
        None
    }

    /// When it fires at the latest, if that is known; once it has fired, when it was due.
    ///
    /// It is part of what [`Operation::deadline`](crate::Operation::deadline) answers, and among sources that are found to
    /// have fired at the same time it tells which was the first.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// What it is, for people: `timeout of 5s`.
    fn name(&self) -> String {
        "a source".to_owned()
    }

    /// A source that fires with the first of the two.
    fn or(self, other: impl Source + 'static) -> AnyOf
    where
        Self: Sized + 'static,
    {
        any_of([self.boxed(), other.boxed()])
    }

    /// A source that fires when both have.
    fn and(self, other: impl Source + 'static) -> AllOf
    where
        Self: Sized + 'static,
    {
        all_of([self.boxed(), other.boxed()])
    }

    /// The same in a box, so that sources of different types can stand in one list.
    ///
    /// Where `FutureExt`, which has a method of this name for every future, is in scope as well, say `Source::boxed(source)`.
    fn boxed(self) -> BoxedSource
    where
        Self: Sized + 'static,
    {
        BoxedSource(Box::pin(self))
    }
}

/// Any source, in a box; made by [`Source::boxed`].
#[must_use = "a source does nothing unless an operation is given it"]
pub struct BoxedSource(Pin<Box<dyn Source>>);

impl Future for BoxedSource {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        self.0.as_mut().poll(cx)
    }
}

impl Source for BoxedSource {
    fn begin(mut self: Pin<&mut Self>, start: Instant) -> Option<Cancellation> {
        self.0.as_mut().begin(start)
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    fn name(&self) -> String {
        self.0.name()
    }

    fn boxed(self) -> BoxedSource {
        self
    }
}

impl fmt::Debug for BoxedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name())
    }
}

/// When a source that is found to have fired did so: when it was due, if it knows that, else now.
pub(super) fn fired_at(source: &BoxedSource, now: Option<Instant>) -> Instant {
    let now = now.unwrap_or_else(Instant::now);
    source.deadline().map_or(now, |due| due.min(now))
}

/// The names of several, as one.
pub(super) fn names<'a>(what: &str, sources: impl IntoIterator<Item = &'a BoxedSource>) -> String {
    let names: Vec<_> = sources.into_iter().map(Source::name).collect();
    format!("{what} ({})", names.join(", "))
}
