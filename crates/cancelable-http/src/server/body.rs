//! The body of a response whose operation lasts until all of it was handed over.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, HeaderMap};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::BoxError;
use super::driving::Driving;
use super::relay::Stop;

pin_project! {
    /// The body of a response behind a [`CancelableLayer`](super::CancelableLayer): that of the service, frame by frame, driven
    /// by the request's operation.
    ///
    /// If the operation is cancelled before the body is complete, it ends with an error that is the
    /// [`Cancellation`](cancelable::Cancellation): a server cuts the connection then, or resets the stream, so no client takes
    /// a part for the whole. Dropped before that, it is what [`Disconnect`](super::Disconnect) says of a client that has left.
    pub struct ResponseBody<B: Body> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B: Body> {
        // All that there is, beside what was announced: after a HEAD request that is never sent.
        Whole { frame: Option<Frame<B::Data>>, hint: SizeHint },
        // What comes while the operation runs.
        Driven { driven: Driven<B::Data> },
        Failed { error: Option<BoxError> },
        // The operation is somebody else's, who has the body driven.
        Within { #[pin] body: B },
    }
}

/// A body whose operation goes on.
struct Driven<D> {
    driving: Driving<D>,
    /// What came with the head.
    ready: Option<Frame<D>>,
    /// What is to be expected of all that is not handed over.
    hint: SizeHint,
    /// The same after what came with the head.
    rest: SizeHint,
    /// How many bytes of those announced are not handed over, where that is known.
    left: Option<u64>,
    is_over: bool,
}

impl<B: Body> ResponseBody<B> {
    /// Of which there is nothing more to come than what lies in the exchange.
    ///
    /// What the service has announced is said again, so that a server finds out where that is not true.
    pub(super) fn whole(driving: &Driving<B::Data>) -> Self {
        let mut slot = driving.exchange.lock();
        let (frame, hint) = (slot.frame.take(), slot.hint);
        drop(slot);
        Kind::Whole { frame, hint }.into()
    }

    /// What says as much of itself, and has no frame: not every server sees to that after a HEAD request.
    pub(super) fn unsent(self) -> Self
    where
        B: Body<Data: Send + 'static, Error: Into<BoxError>>,
    {
        let (frame, hint) = (None, self.size_hint());
        Kind::Whole { frame, hint }.into()
    }

    pub(super) fn failed(error: BoxError) -> Self {
        let error = Some(error);
        Kind::Failed { error }.into()
    }

    pub(super) fn within(body: B) -> Self {
        Kind::Within { body }.into()
    }

    /// What is yet to come, and was announced by these header fields.
    pub(super) fn driven(mut driving: Driving<B::Data>, headers: &HeaderMap) -> Self
    where
        B::Data: Send + 'static,
    {
        let mut slot = driving.exchange.lock();
        let ready = slot.frame.take();
        let (hint, rest) = (slot.hint, slot.rest);
        let announced = headers.get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        let left = announced.or_else(|| hint.exact());
        slot.has_all = left == Some(0);
        drop(slot);
        driving.park();
        let driven = Driven {
            driving,
            ready,
            hint,
            rest,
            left,
            is_over: false,
        };
        Kind::Driven { driven }.into()
    }
}

impl<D: Buf + Send + 'static> Driven<D> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<D>, BoxError>>> {
        if let Some(frame) = self.ready.take() {
            self.hint = self.rest;
            return Poll::Ready(Some(Ok(self.hand_over(frame))));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = self.driving.poll(cx);
        self.is_over = polled.is_ready();
        if let Poll::Ready(Err(Stop::Cancelled(why))) = polled {
            return Poll::Ready(Some(Err(why.into())));
        }
        if let Some((frame, hint)) = self.driving.exchange.take_frame() {
            self.hint = hint;
            return Poll::Ready(Some(Ok(self.hand_over(frame))));
        }
        self.driving.has_waited |= polled.is_pending();
        let ended = ready!(polled);
        // Looked for whatever the end: where the operation goes on after its response, that one is not known yet.
        if let Some(error) = self.driving.exchange.take_failure() {
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(match ended {
            Ok(()) | Err(Stop::Said) => None,
            Err(stop) => Some(Err(stop.to_string().into())),
        })
    }

    /// Notes what the server has after this.
    fn hand_over(&mut self, frame: Frame<D>) -> Frame<D> {
        let is_last = match frame.data_ref() {
            // Trailers are the last.
            None => true,
            Some(data) => match &mut self.left {
                None => false,
                Some(left) => {
                    *left = left.saturating_sub(data.remaining() as u64);
                    *left == 0
                }
            },
        };
        if is_last {
            self.driving.exchange.lock().has_all = true;
        }
        frame
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data: Send + 'static, Error: Into<BoxError>>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        match self.project().kind.project() {
            KindProjection::Whole { frame, hint } => {
                *hint = SizeHint::with_exact(0);
                Poll::Ready(frame.take().map(Ok))
            }
            KindProjection::Driven { driven } => driven.poll_frame(cx),
            KindProjection::Failed { error } => Poll::Ready(error.take().map(Err)),
            KindProjection::Within { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Whole { frame, hint } => frame.is_none() && hint.exact() == Some(0),
            Kind::Driven { driven } => driven.is_over && driven.ready.is_none(),
            Kind::Failed { error } => error.is_none(),
            Kind::Within { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Whole { hint, .. } => *hint,
            Kind::Driven { driven } => driven.hint,
            Kind::Failed { .. } => SizeHint::new(),
            Kind::Within { body } => body.size_hint(),
        }
    }
}

/// An answer of the layer's own.
impl<B: Body<Data: From<Bytes>>> From<Bytes> for ResponseBody<B> {
    fn from(text: Bytes) -> Self {
        let hint = SizeHint::with_exact(text.len() as u64);
        let frame = (!text.is_empty()).then(|| Frame::data(text.into()));
        Kind::Whole { frame, hint }.into()
    }
}

impl<B: Body> From<Kind<B>> for ResponseBody<B> {
    fn from(kind: Kind<B>) -> Self {
        Self { kind }
    }
}

impl<B: Body> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Whole { .. } => "Whole",
            Kind::Driven { .. } => "Driven",
            Kind::Failed { .. } => "Failed",
            Kind::Within { .. } => "Within",
        };
        f.debug_tuple("ResponseBody").field(&kind).finish()
    }
}
