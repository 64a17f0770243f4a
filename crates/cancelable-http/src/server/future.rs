//! The future of a response: drives the request's operation until the head of the response is there.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use cancelable::Cancellation;
use http::{HeaderValue, Response};
use http_body::Body;
use pin_project_lite::pin_project;

use super::driving::Driving;
use super::exchange::Head;
use super::relay::Stop;
use super::{Answer, BoxError, ResponseBody};

pin_project! {
    /// The future of a response behind a [`CancelableLayer`](super::CancelableLayer).
    ///
    /// Dropped before its end, it is what [`Disconnect`](super::Disconnect) says of a client that has left.
    pub struct ResponseFuture<F, B: Body> {
        #[pin]
        kind: Kind<F, B::Data>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, D> {
        // `None` once there was a response.
        Driven { driving: Option<Driving<D>>, manners: Option<Manners> },
        // The operation is somebody else's, who has this driven.
        Within { #[pin] future: F },
    }
}

/// How a client wants to be answered where there is no response.
pub(super) struct Manners {
    pub(super) is_head_only: bool,
    /// The content type of the request, where that is gRPC's.
    pub(super) grpc: Option<HeaderValue>,
    pub(super) retry_after: Option<std::time::Duration>,
}

impl<F, B: Body> ResponseFuture<F, B> {
    pub(super) fn driven(driving: Driving<B::Data>, manners: Manners) -> Self {
        let kind = Kind::Driven {
            driving: Some(driving),
            manners: Some(manners),
        };
        Self { kind }
    }

    pub(super) fn within(future: F) -> Self {
        let kind = Kind::Within { future };
        Self { kind }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data: From<Bytes> + Send + 'static, Error: Into<BoxError>>,
    E: 'static,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (driving, manners) = match self.project().kind.project() {
            KindProjection::Within { future } => {
                let response = ready!(future.poll(cx))?;
                return Poll::Ready(Ok(response.map(ResponseBody::within)));
            }
            KindProjection::Driven { driving, manners } => (driving, manners),
        };
        // Taken, so that one that panics is not driven any more.
        let mut at_work = driving.take().expect("not polled after its end");
        let polled = at_work.poll(cx);
        let is_whole = match polled {
            Poll::Ready(Err(Stop::Cancelled(why))) => {
                let manners = manners.take().expect("there was no response before");
                let is_head_only = manners.is_head_only;
                let answer: Response<ResponseBody<B>> = manners.answer(&why);
                return Poll::Ready(Ok(match is_head_only {
                    true => answer.map(ResponseBody::unsent),
                    false => answer,
                }));
            }
            Poll::Ready(Ok(()) | Err(Stop::Said)) => true,
            Poll::Ready(Err(Stop::Service | Stop::Body(_) | Stop::Panicked)) | Poll::Pending => {
                false
            }
        };
        let parts = match at_work.exchange.take_head() {
            Some(Head::Response(parts)) => parts,
            Some(Head::Error(error)) => {
                let error = error.downcast().expect("the service's own error");
                return Poll::Ready(Err(*error));
            }
            None => {
                *driving = Some(at_work);
                return Poll::Pending;
            }
        };
        let body = match at_work.exchange.take_failure() {
            Some(error) => ResponseBody::failed(error),
            None if is_whole => ResponseBody::whole(&at_work),
            None => ResponseBody::driven(at_work, &parts.headers),
        };
        Poll::Ready(Ok(Response::from_parts(*parts, body)))
    }
}

impl Manners {
    fn answer<B: From<Bytes>>(self, why: &Cancellation) -> Response<B> {
        let mut answer = Answer::to(why);
        if let Some(delay) = self.retry_after {
            answer = answer.retry_after(delay);
        }
        match self.grpc {
            Some(content_type) => answer.into_grpc_response(content_type),
            None => answer.into_response(),
        }
    }
}

impl<F, B: Body> fmt::Debug for ResponseFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
