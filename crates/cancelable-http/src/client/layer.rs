//! The layer for tower's clients, tonic's channel among them.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Request;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::CallCancelled;
use super::caller::{Caller, Race};
use crate::DeadlineHeader;

/// Ends each call with the operation that makes it, and sends what remains of that.
///
/// What it does with a request is decided by the operation that is [current](cancelable::Operation::current) where `call` is called:
///
/// - What remains of its deadline is sent, rounded down, unless the request says less already. An operation without a deadline sends
///   none.
/// - One that was cancelled, or has less left than the header can say, makes no call: the error is a [`CallCancelled`].
/// - A cancel meanwhile drops the inner future, and the call ends with a [`CallCancelled`]. (So it does where the operation
///   goes on, since it has a grace.) What answers over HTTP/2 hears of that as a reset stream.
/// - In a [shielded](cancelable::Operation::shield) section neither happens, and what is sent is the shield's own bound.
/// - Without an operation the request goes through as it is.
///
/// The body of a response is read after the call, and dropped with whoever reads it.
///
/// It belongs inside a layer that tries again, so that each attempt says what remains by then, and outside of one that makes the calls
/// on a task of its own, such as tower's `Buffer`, where no operation is current.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use cancelable::Cancelable;
/// use cancelable_http::{CallCancelled, DeadlineLayer};
/// use http::{Request, Response};
/// use std::{convert::Infallible, time::Duration};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// let client = ServiceBuilder::new()
///     .layer(DeadlineLayer::new())
///     .service(service_fn(async |request: Request<String>| {
///         let told = request.headers()["x-cancelable-timeout-ms"].to_str().unwrap().to_owned();
///         tokio::time::sleep(Duration::from_millis(250)).await;
///         Ok::<_, Infallible>(Response::new(told))
///     }));
/// let outcome = Cancelable::new()
///     .timeout(Duration::from_secs(1))
///     .run(async |op| {
///         let first = client.clone().oneshot(Request::new(String::new())).await.unwrap();
///         let second = client.clone().oneshot(Request::new(String::new())).await.unwrap();
///         op.cancel();
///         let third = client.oneshot(Request::new(String::new())).await.unwrap_err();
///         (first.into_body(), second.into_body(), third)
///     })
///     .await;
/// let (first, second, third) = outcome.unwrap();
/// assert_eq!((first.as_str(), second.as_str()), ("1000", "750"));
/// let third = CallCancelled::find(&*third).expect("it was cancelled");
/// assert!(!third.was_sent() && !third.is_timeout());
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    header: DeadlineHeader,
}

impl DeadlineLayer {
    /// Sends [`x-cancelable-timeout-ms`](DeadlineHeader::Own).
    pub fn new() -> Self {
        Self::sending(DeadlineHeader::Own)
    }

    /// Sends [`grpc-timeout`](DeadlineHeader::Grpc), which every gRPC server heeds.
    pub fn grpc() -> Self {
        Self::sending(DeadlineHeader::Grpc)
    }

    /// Sends `header`.
    pub fn sending(header: DeadlineHeader) -> Self {
        Self { header }
    }
}

impl Default for DeadlineLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = DeadlineService<S>;

    fn layer(&self, inner: S) -> DeadlineService<S> {
        let header = self.header;
        DeadlineService { inner, header }
    }
}

/// The service of a [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct DeadlineService<S> {
    inner: S,
    header: DeadlineHeader,
}

impl<S, B> Service<Request<B>> for DeadlineService<S>
where
    S: Service<Request<B>, Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = DeadlineCall<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> DeadlineCall<S::Future> {
        match Caller::announce(self.header, request.headers_mut()) {
            Ok(caller) => DeadlineCall::made(self.inner.call(request), caller),
            Err(error) => DeadlineCall::refused(error),
        }
    }
}

pin_project! {
    /// The future of a [`DeadlineService`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the call, as it does without the layer.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct DeadlineCall<F> {
        #[pin]
        race: Option<Race<F>>,
        refusal: Option<CallCancelled>,
    }
}

impl<F> DeadlineCall<F> {
    fn made(call: F, caller: Option<Caller>) -> Self {
        Self {
            race: Some(Race::new(call, caller)),
            refusal: None,
        }
    }

    fn refused(error: CallCancelled) -> Self {
        Self {
            race: None,
            refusal: Some(error),
        }
    }
}

impl<F, T, E> Future for DeadlineCall<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(match this.race.as_pin_mut() {
            Some(race) => match ready!(race.poll(cx)) {
                Ok(response) => response.map_err(Into::into),
                Err(error) => Err(error.into()),
            },
            None => {
                let refusal = this.refusal.take();
                Err(refusal
                    .expect("a call is not polled once it is over")
                    .into())
            }
        })
    }
}

type BoxError = Box<dyn Error + Send + Sync>;
