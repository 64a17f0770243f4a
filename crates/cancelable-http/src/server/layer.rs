//! [`CancelableLayer`], the face: how the operations of requests may end, and what they are called.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use cancelable::{Cancelable, Registry};
use serde_json::Value;
use tower_layer::Layer;

use super::config::{Config, Describing};
use super::{AnyUpload, CancelableService, Disconnect, RequestHead};
use crate::{DeadlineHeaders, Shutdown};

/// A layer for tower that runs each request as an operation, from the call of the service until the last frame of the response was
/// handed over.
///
/// The operation is [current](cancelable::Operation::current) in the handler and while the body of the response is polled, and
/// lies in the extensions of the request. A client that goes away before the response was complete does to it what
/// [`Disconnect`] says; after that nothing is cancelled. So does one that leaves in the middle of its upload: the service gets the body of
/// the request as a [`RequestBody`](super::RequestBody), which gives every byte as it came, and looks at its errors.
///
/// Where it is cancelled before there was a response, the client gets an [`Answer`](super::Answer); after that the body ends with
/// an error that is the [`Cancellation`](cancelable::Cancellation). Errors and panics of the service go on as they are.
///
/// Inside another such layer it makes no second operation: its [`disconnect`](Self::disconnect), [`timeout`](Self::timeout) and
/// [`deadline_headers`](Self::deadline_headers) hold for that of the outer one, so that they can be said for each route. The rest
/// of it is the outer one's to say. A limit that is said inside runs on the machine's clock, since the operation has begun by then: it does not
/// fire where a test has tokio's paused.
///
/// ```
/// use bytes::Bytes;
/// use cancelable::Operation;
/// use cancelable_http::CancelableLayer;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use std::convert::Infallible;
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let layer = CancelableLayer::new().timeout(Duration::from_secs(5));
/// let service = layer.layer(service_fn(async |_: Request<_>| {
///     let op = Operation::current().expect("the layer made one");
///     assert_eq!(op.remaining(), Some(Duration::from_secs(5)));
///     tokio::time::sleep(Duration::from_secs(60)).await;
///     Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("too late"))))
/// }));
/// let response = service.oneshot(Request::new(())).await.unwrap();
/// assert_eq!(response.status(), 504);
/// # }
/// ```
#[must_use = "a layer does nothing until it is put around a service"]
pub struct CancelableLayer<U = AnyUpload> {
    /// Shared, since axum puts a layer around its service anew for each request.
    config: Arc<Config>,
    uploads: PhantomData<fn() -> U>,
}

impl CancelableLayer {
    /// A layer without a time limit, which cancels what nobody waits for.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<U> CancelableLayer<U> {
    /// What the service gets as the body of a request, in place of a [`RequestBody`](super::RequestBody) of what the server gave.
    pub fn uploads<V>(self) -> CancelableLayer<V> {
        CancelableLayer {
            config: self.config,
            uploads: PhantomData,
        }
    }

    /// How long a request may take, from its start to the last frame of its response; of several the least counts.
    pub fn timeout(mut self, limit: Duration) -> Self {
        let config = self.config();
        config.timeout = Some(config.timeout.map_or(limit, |own| own.min(limit)));
        self
    }

    /// What a client that goes away does to its operation: [`Disconnect::Cancel`] unless said.
    pub fn disconnect(mut self, disconnect: Disconnect) -> Self {
        self.config().disconnect = disconnect;
        self
    }

    /// What operations are called, in place of `GET /path`, of which the path is cut after 256 bytes.
    ///
    /// A client writes the path: a name that tells routes apart, not requests, is of more use to whoever looks at statistics.
    pub fn name(
        mut self,
        name: impl Fn(&RequestHead<'_>) -> String + Send + Sync + 'static,
    ) -> Self {
        self.config().name = Some(Arc::new(name));
        self
    }

    /// What is known of operations beside their name.
    pub fn metadata<I, K, V>(
        mut self,
        describe: impl Fn(&RequestHead<'_>) -> I + Send + Sync + 'static,
    ) -> Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<String>,
        V: Into<Value>,
    {
        self.config().metadata = Some(describing(describe));
        self
    }

    /// What is known of operations that are listed in a registry, where [`metadata`](Self::metadata) says nothing: unless said, `method`
    /// and `path`. Those that nobody lists are not described at all, which spares each request what that costs.
    pub fn listed_metadata<I, K, V>(
        mut self,
        describe: impl Fn(&RequestHead<'_>) -> I + Send + Sync + 'static,
    ) -> Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<String>,
        V: Into<Value>,
    {
        self.config().listed_metadata = Some(describing(describe));
        self
    }

    /// Has operations listed in the registry of the process, [`Registry::global`].
    pub fn registered(self) -> Self {
        self.registered_in(Registry::global())
    }

    /// The same in a registry of the program's own.
    pub fn registered_in(mut self, registry: &Registry) -> Self {
        self.config().registries.push(registry.clone());
        self
    }

    /// Lets clients set a time limit by these headers. None is read unless this is said, and none lengthens what the server says.
    pub fn deadline_headers(mut self, headers: DeadlineHeaders) -> Self {
        self.config().deadlines = Some(headers);
        self
    }

    /// Links operations to `shutdown`: asked to stop as it begins, with its grace; a request that comes after that is answered
    /// with 503 and `Retry-After`, and no service is called.
    pub fn shutdown(mut self, shutdown: &Shutdown) -> Self {
        self.config().shutdown = Some(shutdown.clone());
        self
    }

    /// When a client that is turned away by a shutdown may come again: 1 second unless said.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.config().retry_after = Some(delay);
        self
    }

    /// Whatever else is to be said of a request's operation: tokens, signals, a grace, finalizers, callbacks. Called for each
    /// request, after all else was said; of several the one that was given first.
    pub fn plan(
        mut self,
        finish: impl Fn(Cancelable, &RequestHead<'_>) -> Cancelable + Send + Sync + 'static,
    ) -> Self {
        self.config().plans.push(Arc::new(finish));
        self
    }
}

impl<U> CancelableLayer<U> {
    fn config(&mut self) -> &mut Config {
        Arc::make_mut(&mut self.config)
    }
}

fn describing<I, K, V>(
    describe: impl Fn(&RequestHead<'_>) -> I + Send + Sync + 'static,
) -> Describing
where
    I: IntoIterator<Item = (K, V)>,
    K: Into<String>,
    V: Into<Value>,
{
    Arc::new(move |head| {
        let facts = describe(head).into_iter();
        facts
            .map(|(key, value)| (key.into(), value.into()))
            .collect()
    })
}

impl<U> Default for CancelableLayer<U> {
    fn default() -> Self {
        Self {
            config: Arc::default(),
            uploads: PhantomData,
        }
    }
}

impl<U> Clone for CancelableLayer<U> {
    fn clone(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            uploads: PhantomData,
        }
    }
}

impl<U> fmt::Debug for CancelableLayer<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelableLayer")
            .field(&self.config)
            .finish()
    }
}

impl<S, U> Layer<S> for CancelableLayer<U> {
    type Service = CancelableService<S, U>;

    fn layer(&self, inner: S) -> Self::Service {
        CancelableService::new(inner, Arc::clone(&self.config))
    }
}
