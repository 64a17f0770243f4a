//! [`Timeout`], time as a source.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use cancelable_core::{Cancellation, Origin};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Source;

/// A source that fires with reason [`Timeout`](crate::Reason::Timeout) this long after the start of the operation that it
/// acts on, on the runtime's clock.
///
/// Zero has fired before the start; one too long for the clock, such as [`Duration::MAX`], never fires. For a limit that
/// stands by itself [`Cancelable::timeout`](crate::Cancelable::timeout) is the shorter way; this one nests.
pub fn timeout(after: Duration) -> Timeout {
    Timeout::new(When::After(after))
}

/// The same at a point in time: tokio's `Instant` or the standard library's.
pub fn deadline(at: impl Into<Instant>) -> Timeout {
    Timeout::new(When::At(at.into()))
}

pin_project! {
    /// A source that fires when a time has come; made by [`timeout`] and [`deadline`].
    #[derive(Debug)]
    #[must_use = "a source does nothing unless an operation is given it"]
    pub struct Timeout {
        when: When,
        start: Option<Instant>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

#[derive(Clone, Copy, Debug)]
enum When {
    After(Duration),
    At(Instant),
}

impl Timeout {
    fn new(when: When) -> Self {
        Self {
            when,
            start: None,
            sleep: None,
        }
    }

    fn why(&self) -> Cancellation {
        let after = match (self.when, self.start) {
            (When::After(after), _) => after,
            (When::At(at), Some(start)) => at.saturating_duration_since(start),
            (When::At(_), None) => Duration::ZERO,
        };
        Cancellation::from_origin(Origin::timeout(after))
    }
}

impl Future for Timeout {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        if self.start.is_none()
            && let Some(why) = self.as_mut().begin(Instant::now())
        {
            return Poll::Ready(why);
        }
        let Some(deadline) = self.deadline() else {
            return Poll::Pending;
        };
        let mut sleep = self.as_mut().project().sleep;
        if sleep.is_none() {
            sleep.set(Some(sleep_until(deadline)));
        }
        ready!(sleep.as_pin_mut().expect("set above").poll(cx));
        Poll::Ready(self.why())
    }
}

impl Source for Timeout {
    fn begin(mut self: Pin<&mut Self>, start: Instant) -> Option<Cancellation> {
        *self.as_mut().project().start = Some(start);
        let is_over = self.deadline().is_some_and(|deadline| deadline <= start);
        is_over.then(|| self.why())
    }

    /// A timeout's is known from the start on.
    fn deadline(&self) -> Option<Instant> {
        match self.when {
            When::After(after) => self.start?.checked_add(after),
            When::At(at) => Some(at),
        }
    }

    fn name(&self) -> String {
        match self.when {
            When::After(after) => format!("timeout of {after:?}"),
            When::At(_) => "deadline".to_owned(),
        }
    }
}
