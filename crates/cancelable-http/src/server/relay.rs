//! The body of a request's operation: calls the service, and puts what comes of it into the exchange.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cancelable::{Cancellation, Operation};
use http::{Response, StatusCode};
use http_body::{Body, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::{Exchange, Head, Reader, Slot, Stage};
use super::{BoxError, SaysWhy};

pin_project! {
    /// See the module's documentation.
    pub(super) struct Relay<F, B: Body> {
        #[pin]
        work: Work<F, B>,
        exchange: Arc<Exchange<B::Data>>,
        // To a HEAD request the server sends no body.
        is_head_only: bool,
        // Whether the body says by itself that it was cancelled.
        says_why: Option<SaysWhy>,
        // So it is told from a drop whether a panic came before it.
        is_polling: bool,
    }

    impl<F, B: Body> PinnedDrop for Relay<F, B> {
        fn drop(this: Pin<&mut Self>) {
            let mut slot = this.exchange.lock();
            if slot.stage == Stage::Working {
                slot.stage = if this.is_polling { Stage::Panicked } else { Stage::Cut };
            }
        }
    }
}

pin_project! {
    #[project = WorkProjection]
    enum Work<F, B> {
        Responding { #[pin] future: F },
        Streaming { #[pin] body: B },
    }
}

/// Why there is no whole response.
#[derive(Debug)]
pub(super) enum Stop {
    Cancelled(Cancellation),
    /// It is whole, and its last word is of the cancel.
    Said,
    /// The service gave an error, which lies in the exchange.
    Service,
    /// The body of the response did; so does that one. This is its text.
    Body(String),
    /// It has panicked, and is polled once more all the same.
    Panicked,
}

impl From<Cancellation> for Stop {
    fn from(why: Cancellation) -> Self {
        Self::Cancelled(why)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(why) => why.fmt(f),
            Self::Said => f.write_str("the response says that it was cancelled"),
            Self::Service => f.write_str("the service failed"),
            Self::Body(text) => f.write_str(text),
            Self::Panicked => f.write_str("the body of the response has panicked"),
        }
    }
}

impl<F, B: Body> Relay<F, B> {
    pub(super) fn new(future: F, exchange: Arc<Exchange<B::Data>>, is_head_only: bool) -> Self {
        Self {
            work: Work::Responding { future },
            exchange,
            is_head_only,
            says_why: None,
            is_polling: false,
        }
    }
}

impl<F, B, E> Future for Relay<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<BoxError>>,
    E: Send + 'static,
{
    type Output = Result<(), Stop>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        *self.as_mut().project().is_polling = true;
        let polled = self.as_mut().work(cx);
        *self.as_mut().project().is_polling = false;
        let is_cut_off = self.exchange.take_cut_off();
        if polled.is_pending() {
            return Poll::Pending;
        }
        let operation = self.exchange.finish();
        let has_said = self.says_why.as_ref().is_some_and(SaysWhy::has_said);
        match polled {
            Poll::Ready(Ok(())) if is_cut_off || has_said => {
                Poll::Ready(match operation.and_then(|it| it.cancellation()) {
                    // What it says to a client that has just left, such as that the upload was bad, reaches nobody: it was cut short.
                    Some(why) if is_cut_off => Err(Stop::Cancelled(why)),
                    Some(_) => Err(Stop::Said),
                    None => Ok(()),
                })
            }
            polled => polled,
        }
    }
}

impl<F, B, E> Relay<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Error: Into<BoxError>>,
    E: Send + 'static,
{
    fn work(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        let mut this = self.project();
        let WorkProjection::Responding { future } = this.work.as_mut().project() else {
            return stream(this.work, this.exchange, cx);
        };
        let (parts, body) = match future.poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(response)) => response.into_parts(),
            Poll::Ready(Err(error)) => {
                let error: Box<dyn Any + Send> = Box::new(error);
                this.exchange.put_head(Head::Error(error), |_| {});
                return Poll::Ready(Err(Stop::Service));
            }
        };
        *this.says_why = parts.extensions.get().cloned();
        // Nor is a length announced, where it is not one of a body that a HEAD request leaves out: some clients would wait for that.
        let is_empty = body.is_end_stream() || is_bodiless(parts.status);
        let is_all = *this.is_head_only || is_empty;
        let hint = if is_empty {
            SizeHint::with_exact(0)
        } else {
            body.size_hint()
        };
        let is_known = hint.exact().is_some();
        let head = Head::Response(Box::new(parts));
        this.exchange.put_head(head, |slot| slot.hint = hint);
        if is_all {
            return Poll::Ready(Ok(()));
        }
        this.work.set(Work::Streaming { body });
        this.exchange.make_token();
        // What knows its length mostly is there: then all of it goes out at once.
        if is_known {
            return stream(this.work, this.exchange, cx);
        }
        if this.exchange.lock().reader == Reader::Gone {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// One more frame, if there is room for it.
fn stream<F, B>(
    work: Pin<&mut Work<F, B>>,
    exchange: &Exchange<B::Data>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), Stop>>
where
    B: Body<Error: Into<BoxError>>,
{
    let WorkProjection::Streaming { mut body } = work.project() else {
        unreachable!("it streams");
    };
    {
        let slot = exchange.lock();
        match slot.reader {
            Reader::HasAll => return Poll::Ready(Ok(())),
            Reader::Reads if slot.frame.is_some() => return Poll::Pending,
            Reader::Reads | Reader::Gone => {}
        }
    }
    match body.as_mut().poll_frame(cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(None) => Poll::Ready(Ok(())),
        Poll::Ready(Some(Err(error))) => Poll::Ready(Err(exchange.fail(error.into()))),
        Poll::Ready(Some(Ok(frame))) => {
            let is_last = body.is_end_stream();
            let rest = body.size_hint();
            let mut slot = exchange.lock();
            let is_read = slot.reader == Reader::Reads;
            let thrown_away = if is_read {
                slot.rest = rest;
                slot.frame.replace(frame)
            } else {
                Some(frame)
            };
            drop(slot);
            drop(thrown_away);
            if is_last {
                return Poll::Ready(Ok(()));
            }
            if !is_read {
                // One at a time all the same, so that the operation is asked in between whether it is to stop.
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }
    }
}

impl<D> Exchange<D> {
    /// What the service gave; nobody may want it any more.
    fn put_head(&self, head: Head, and: impl FnOnce(&mut Slot<D>)) {
        let mut slot = self.lock();
        and(&mut slot);
        let thrown_away = match slot.reader {
            Reader::Gone => Some(head),
            Reader::Reads | Reader::HasAll => slot.head.replace(head),
        };
        drop(slot);
        drop(thrown_away);
    }

    /// The body has failed. The error is for whoever reads it, also where the operation takes longer to end than that.
    fn fail(&self, error: BoxError) -> Stop {
        let text = catch_unwind(AssertUnwindSafe(|| error.to_string()));
        let text = text.unwrap_or_else(|_| "an error that panics as it is shown".to_owned());
        self.lock().failure = Some(error);
        Stop::Body(text)
    }

    /// Has the operation wait at its token. Where there is none yet, whoever cancels it makes one first, and wakes the driver so that it
    /// waits there; and nobody may drive it then.
    fn make_token(&self) {
        let operation = self.lock().operation.clone();
        if let Some(operation) = operation {
            operation.token();
        }
    }

    /// All that there is was put here. The handle goes, so that an operation which nobody else can see ends quickly.
    fn finish(&self) -> Option<Operation> {
        let mut slot = self.lock();
        slot.stage = Stage::Done;
        slot.operation.take()
    }
}

/// Whether a response with this status has no body, whatever the service says.
fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
