//! [`AxumUpload`], by which handlers keep axum's body.

use axum::body::{Body, HttpBody};
use cancelable_http::{RequestBody, Upload, Uploads};
use http_body_util::BodyExt;

/// [`Uploads`] for axum: a [`Body`] stays one, with its errors as they were, and a request without a body costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct AxumUpload;

impl Uploads<Body> for AxumUpload {
    type Body = Body;

    fn watch(body: Body, upload: Option<&Upload>) -> Body {
        if upload.is_none() || body.is_end_stream() {
            return body;
        }
        // axum puts an error of its own around those of any body that it is given, and finds the limits of its extractors by counting
        // these: so there is to be one, as before.
        let body = body.map_err(axum::Error::into_inner);
        Body::new(RequestBody::new(body, upload))
    }
}
