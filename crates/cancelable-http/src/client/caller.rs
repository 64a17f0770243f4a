//! The operation that makes a call: what it tells whom it calls, and when it waits no longer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use cancelable::{Cancellation, CancelledOwned, Operation, Origin, checkpoint};
use http::{HeaderMap, HeaderValue};
use pin_project_lite::pin_project;

use super::CallCancelled;
use crate::{DeadlineHeader, NoTimeLeft};

#[derive(Debug)]
pub(super) struct Caller {
    operation: Operation,
    cancelled: CancelledOwned,
}

impl Caller {
    /// The current operation, if there is one, with what remains of it written to `headers`.
    pub(super) fn announce(
        header: DeadlineHeader,
        headers: &mut HeaderMap,
    ) -> Result<Option<Self>, CallCancelled> {
        let Some(operation) = Operation::current() else {
            return Ok(None);
        };
        checkpoint().map_err(CallCancelled::not_sent)?;
        if let Some(remaining) = operation.remaining() {
            write(header, headers, remaining).map_err(|error| {
                let why = Cancellation::from_origin(Origin::timeout(Duration::ZERO));
                CallCancelled::not_sent(why.with_message(error.to_string()))
            })?;
        }
        let cancelled = operation.token().clone().cancelled_owned();
        Ok(Some(Self {
            operation,
            cancelled,
        }))
    }

    fn poll_cancelled(&mut self, cx: &mut Context<'_>) -> Poll<Cancellation> {
        let why = ready!(Pin::new(&mut self.cancelled).poll(cx));
        if self.is_shielded() {
            return Poll::Pending;
        }
        Poll::Ready(self.operation.cancellation().unwrap_or(why))
    }

    /// Whether a shield keeps what runs here from stopping, though the operation was cancelled.
    fn is_shielded(&self) -> bool {
        let is_here = |current: Operation| current.id() == self.operation.id();
        Operation::current().is_some_and(is_here) && checkpoint().is_ok()
    }
}

pin_project! {
    /// A call and its operation: whichever is over first. A response that is there is not lost to a cancel in the same instant.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub(super) struct Race<F> {
        // Gone as soon as it is given up.
        #[pin]
        call: Option<F>,
        caller: Option<Caller>,
    }
}

impl<F> Race<F> {
    pub(super) fn new(call: F, caller: Option<Caller>) -> Self {
        let call = Some(call);
        Self { call, caller }
    }
}

impl<F: Future> Future for Race<F> {
    type Output = Result<F::Output, CallCancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let call = this.call.as_mut().as_pin_mut();
        let call = call.expect("a race is not polled once it is decided");
        if let Poll::Ready(response) = call.poll(cx) {
            return Poll::Ready(Ok(response));
        }
        let Some(caller) = this.caller else {
            return Poll::Pending;
        };
        let why = ready!(caller.poll_cancelled(cx));
        this.call.set(None);
        Poll::Ready(Err(CallCancelled::given_up(why)))
    }
}

/// Writes what remains, unless the request says that there is less.
fn write(
    header: DeadlineHeader,
    headers: &mut HeaderMap,
    remaining: Duration,
) -> Result<(), NoTimeLeft> {
    let written = header.write(remaining)?;
    let values = headers.get_all(header.name()).into_iter();
    let said = values.filter_map(|value| header.parse(value.as_bytes()));
    if said.min().is_none_or(|said| said > remaining) {
        let value = HeaderValue::from_str(&written).expect("it is digits and a letter");
        headers.insert(header.name(), value);
    }
    Ok(())
}
