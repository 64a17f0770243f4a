//! The body of a request, watched for a client that leaves in the middle of it.
//!
//! A server that has read a part of a body tells of a client that leaves then to whoever reads that body, by an error, and over HTTP/1.1 to
//! nobody else. So the body that the service gets looks at its errors as they pass.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter::successors;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::BoxError;
use super::exchange::Govern;

pin_project! {
    /// The body of a request behind a [`CancelableLayer`](super::CancelableLayer): frame by frame what the server gave, with its
    /// errors.
    ///
    /// One that says that the client has gone does to the operation what [`Disconnect`](super::Disconnect) says, in whatever task the
    /// body is read. So a service behind the layer takes any body, as those of axum and tonic do, or a `Request<RequestBody<Incoming>>`;
    /// what wants the body as it was, unwatched, has it by [`into_inner`](Self::into_inner).
    pub struct RequestBody<Q> {
        #[pin]
        body: Q,
        upload: Option<Upload>,
    }
}

impl<Q> RequestBody<Q> {
    /// This body as that of `upload`, if there is one.
    pub fn new(body: Q, upload: Option<&Upload>) -> Self {
        let upload = upload.cloned();
        Self { body, upload }
    }

    /// The body inside.
    pub fn get_ref(&self) -> &Q {
        &self.body
    }

    /// The body as it was. Nothing is noticed of what becomes of it.
    pub fn into_inner(self) -> Q {
        self.body
    }
}

impl<Q: Body<Error: Into<BoxError>>> Body for RequestBody<Q> {
    type Data = Q::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Q::Data>, BoxError>>> {
        let this = self.project();
        this.body.poll_frame(cx).map_err(|error| {
            let error = error.into();
            if let Some(upload) = this.upload {
                upload.failed(&*error);
            }
            error
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the service behind a [`CancelableLayer`](super::CancelableLayer) gets as the body of a request.
///
/// [`AnyUpload`] unless said, for which any body will do. Where all of a program has one type of body, and can make one of any other, an
/// implementation of its own lets services keep that type: see [`CancelableLayer::uploads`](super::CancelableLayer::uploads).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what the service gets in place of the body `{Q}`",
    note = "a `CancelableLayer` for any body is `cancelable_http::CancelableLayer::new()`"
)]
pub trait Uploads<Q> {
    /// What it gets.
    type Body;

    /// Makes it of `body`; [`RequestBody`] does what is to be done. Without `upload` there is nothing to be watched.
    fn watch(body: Q, upload: Option<&Upload>) -> Self::Body;
}

/// [`Uploads`] that give a [`RequestBody`] of whatever the server gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyUpload;

impl<Q> Uploads<Q> for AnyUpload {
    type Body = RequestBody<Q>;

    fn watch(body: Q, upload: Option<&Upload>) -> RequestBody<Q> {
        RequestBody::new(body, upload)
    }
}

/// [`Uploads`] that give the body as it is: for a layer inside another, whose service has no use for a second [`RequestBody`], and where a
/// client that leaves in the middle of its upload is no news.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnwatchedUpload;

impl<Q> Uploads<Q> for UnwatchedUpload {
    type Body = Q;

    fn watch(body: Q, _: Option<&Upload>) -> Q {
        body
    }
}

/// A request that is an operation, for its body, and for a layer inside the one that made it so. It keeps nothing alive.
#[derive(Clone)]
pub struct Upload(pub(super) Weak<dyn Govern>);

impl Upload {
    /// The body has ended with this.
    fn failed(&self, error: &(dyn Error + 'static)) {
        if is_of_a_client_that_left(error)
            && let Some(request) = self.0.upgrade()
        {
            request.lose_client();
        }
    }
}

/// Whether the server has lost the connection, or the stream of HTTP/2: its own limits, what a decompressor misses, and what is malformed
/// are no news of the client.
fn is_of_a_client_that_left(error: &(dyn Error + 'static)) -> bool {
    let mut chain = successors(Some(error), |&error| error.source());
    let Some(of_server) = chain.find_map(|error| error.downcast_ref::<hyper::Error>()) else {
        return false;
    };
    if of_server.is_parse() || of_server.is_user() {
        return false;
    }
    match chain.find_map(|error| error.downcast_ref::<io::Error>()) {
        // A connection that is lost has many kinds of errors; of what came over it hyper says these two.
        Some(error) => !matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        ),
        // A message that is incomplete; or whatever h2 says, and then the stream is closed both ways.
        None => true,
    }
}

impl<Q> fmt::Debug for RequestBody<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}
