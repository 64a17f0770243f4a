//! A service whose requests are operations.

use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, mem};

use bytes::Bytes;
use cancelable::Operation;
use http::{Method, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::answer::grpc_type;
use super::config::Config;
use super::driving::Driving;
use super::exchange::{Exchange, Stage};
use super::future::Manners;
use super::relay::Relay;
use super::{AnyUpload, BoxError, RequestHead, ResponseBody, ResponseFuture, Upload, Uploads};

/// A service whose requests are operations; made by a [`CancelableLayer`](super::CancelableLayer).
///
/// It takes requests with a body `Q`, and gives them to the service with what `U` makes of that: a [`RequestBody`](super::RequestBody)
/// unless said.
pub struct CancelableService<S, U = AnyUpload> {
    inner: S,
    config: Arc<Config>,
    uploads: PhantomData<fn() -> U>,
}

impl<S, U> CancelableService<S, U> {
    pub(super) fn new(inner: S, config: Arc<Config>) -> Self {
        Self {
            inner,
            config,
            uploads: PhantomData,
        }
    }
}

impl<S, U, Q, B> Service<Request<Q>> for CancelableService<S, U>
where
    U: Uploads<Q>,
    S: Service<Request<U::Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    Q: Send + 'static,
    B: Body<Data: From<Bytes> + Send + 'static, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        if self.config.govern(&request) {
            // Whoever made the operation has the body watched.
            let request = request.map(|body| U::watch(body, None));
            return ResponseFuture::within(self.inner.call(request));
        }
        let head = RequestHead::of(&request);
        let mut plan = self.config.plan(&head);
        let is_head_only = *head.method() == Method::HEAD;
        let manners = Manners {
            is_head_only,
            grpc: grpc_type(head.headers()).cloned(),
            retry_after: self.config.retry_after,
        };
        let exchange = Arc::new(Exchange::new(self.config.disconnect));
        if !self.config.plans.is_empty() {
            // It may owe finalizers, also where it is cancelled before it starts; and then a client has its answer before these.
            let exchange = Arc::clone(&exchange);
            plan = plan.during(move |operation| {
                exchange.lock().operation = Some(operation.clone());
            });
        }
        // What was found ready is what is called, once the operation has started.
        let inner = self.inner.clone();
        let mut ready = mem::replace(&mut self.inner, inner);
        let run = plan.try_run({
            let start = Start(Some(Arc::clone(&exchange)));
            move |operation: Operation| {
                let exchange = start.begin();
                let upload = Upload(Arc::<Exchange<B::Data>>::downgrade(&exchange) as _);
                let mut request = request.map(|body| U::watch(body, Some(&upload)));
                let extensions = request.extensions_mut();
                extensions.insert(upload);
                extensions.insert(operation.clone());
                exchange.lock().operation = Some(operation);
                Relay::new(ready.call(request), exchange, is_head_only)
            }
        });
        ResponseFuture::driven(Driving::new(run, exchange), manners)
    }
}

/// What becomes of a request: the service is called, or this is dropped before that.
struct Start<D>(Option<Arc<Exchange<D>>>);

impl<D> Start<D> {
    fn begin(mut self) -> Arc<Exchange<D>> {
        self.0.take().expect("it begins once")
    }
}

impl<D> Drop for Start<D> {
    fn drop(&mut self) {
        if let Some(exchange) = &self.0 {
            exchange.lock().stage = Stage::Cut;
        }
    }
}

impl Config {
    /// Has what was said here hold for the operation of a layer around this one, if there is one; says whether there is.
    fn govern<Q>(&self, request: &Request<Q>) -> bool {
        let Some(Upload(outer)) = request.extensions().get() else {
            return false;
        };
        let operation = outer
            .upgrade()
            .and_then(|outer| outer.govern(self.disconnect));
        let Some(operation) = operation else {
            return false;
        };
        if let Some(limit) = self.limit(&RequestHead::of(request)) {
            operation.token().cancel_after(limit);
        }
        true
    }
}

impl<S: Clone, U> Clone for CancelableService<S, U> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.config))
    }
}

impl<S: fmt::Debug, U> fmt::Debug for CancelableService<S, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelableService")
            .field("inner", &self.inner)
            .field("config", &self.config)
            .finish()
    }
}
