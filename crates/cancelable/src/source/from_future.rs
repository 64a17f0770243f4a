//! [`FromFuture`], any future as a source.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use cancelable_core::Cancellation;
use pin_project_lite::pin_project;

use super::Source;

/// A source that fires when `future` is done, with what that returns: a message, a [`Reason`](crate::Reason), an
/// [`Origin`](crate::Origin) or a whole [`Cancellation`].
///
/// It is polled by the operation, so it must not block; for that there is [`condition`](super::condition). Once done it is
/// dropped and never polled again.
pub fn from_future<F>(future: F) -> FromFuture<F>
where
    F: Future<Output: Into<Cancellation>> + Send,
{
    FromFuture {
        future: Some(future),
        name: None,
    }
}

pin_project! {
    /// A source that fires when a future is done; made by [`from_future`].
    #[must_use = "a source does nothing unless an operation is given it"]
    pub struct FromFuture<F> {
        // `None` once it is done.
        #[pin]
        future: Option<F>,
        name: Option<String>,
    }
}

impl<F> FromFuture<F> {
    /// The same with a name, by which logs and errors call it.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<F> Future for FromFuture<F>
where
    F: Future<Output: Into<Cancellation>> + Send,
{
    type Output = Cancellation;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let why = ready!(future.poll(cx));
        this.future.set(None);
        Poll::Ready(why.into())
    }
}

impl<F> Source for FromFuture<F>
where
    F: Future<Output: Into<Cancellation>> + Send,
{
    fn name(&self) -> String {
        match &self.name {
            Some(name) => format!("future '{name}'"),
            None => "a future".to_owned(),
        }
    }
}

impl<F> fmt::Debug for FromFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFuture")
            .field("name", &self.name)
            .field("is_done", &self.future.is_none())
            .finish()
    }
}
