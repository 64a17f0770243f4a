//! What a client is told of an operation that was cancelled before there was a response.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use cancelable::{Cancellation, Reason};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

/// What a client is told in place of a response: a status, header fields, and a line of text.
///
/// | why the operation was cancelled | status |
/// |---|---|
/// | its time was up | 504 |
/// | the client has gone | 499, for the logs: nobody gets it |
/// | the service shuts down | 503, with `Retry-After` |
/// | anything else | 503 |
///
/// One that was cancelled with what encloses it is judged by what
/// [that one](cancelable::Cancellation::original) was cancelled for.
///
/// ```
/// use cancelable::{Cancellation, Reason};
/// use cancelable_http::Answer;
///
/// let answer = Answer::to(&Cancellation::new(Reason::Timeout));
/// assert_eq!(answer.status(), 504);
/// assert_eq!(answer.text(), "the request took too long\n");
///
/// let answer = Answer::to(&Cancellation::new(Reason::Shutdown));
/// assert_eq!(answer.status(), 503);
/// assert_eq!(answer.headers()["retry-after"], "1");
/// ```
#[derive(Clone)]
pub struct Answer {
    kind: Kind,
    retry_after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TimedOut,
    ClientGone,
    ShuttingDown,
    Cancelled,
}

impl Answer {
    /// What there is to say of an operation that was cancelled for this.
    pub fn to(why: &Cancellation) -> Self {
        let kind = match why.original().reason() {
            Reason::Timeout => Kind::TimedOut,
            Reason::Disconnected => Kind::ClientGone,
            Reason::Shutdown => Kind::ShuttingDown,
            _ => Kind::Cancelled,
        };
        Self {
            kind,
            retry_after: RETRY_AT_ONCE,
        }
    }

    /// When a client that was told of a shutdown may come again: 1 second unless said. Whole seconds are sent, rounded up.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = delay;
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        match self.kind {
            Kind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Kind::ClientGone => {
                StatusCode::from_u16(CLIENT_CLOSED_REQUEST).expect("three digits are a status")
            }
            Kind::ShuttingDown | Kind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The header fields: `Content-Type`, and at a shutdown `Retry-After`.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PLAIN_TEXT));
        if self.kind == Kind::ShuttingDown {
            let nanos = u64::from(self.retry_after.subsec_nanos() > 0);
            let seconds = self.retry_after.as_secs().saturating_add(nanos);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        headers
    }

    /// The body: a line of plain text, which tells nothing of the inside.
    pub fn text(&self) -> &'static str {
        match self.kind {
            Kind::TimedOut => "the request took too long\n",
            Kind::ClientGone => "the client has gone\n",
            Kind::ShuttingDown => "the service is shutting down\n",
            Kind::Cancelled => "the request was cancelled\n",
        }
    }

    /// The code that gRPC has for it: 4 (deadline exceeded), 1 (cancelled) or 14 (unavailable).
    pub fn grpc_status(&self) -> u16 {
        match self.kind {
            Kind::TimedOut => 4,
            Kind::ClientGone => 1,
            Kind::ShuttingDown | Kind::Cancelled => 14,
        }
    }

    /// All of it as a response.
    pub fn into_response<B: From<Bytes>>(self) -> Response<B> {
        let text = Bytes::from_static(self.text().as_bytes());
        let mut response = Response::new(B::from(text));
        *response.status_mut() = self.status();
        *response.headers_mut() = self.headers();
        response
    }

    /// The same as gRPC wants it: a response without a body, whose status stands in its header fields.
    ///
    /// `content_type` is that of the request.
    pub fn into_grpc_response<B: From<Bytes>>(self, content_type: HeaderValue) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::new()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(GRPC_STATUS, HeaderValue::from(self.grpc_status()));
        // Of what is said nothing needs to be escaped.
        let text = self.text().trim_end();
        headers.insert(GRPC_MESSAGE, HeaderValue::from_static(text));
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        response
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status())
            .field("text", &self.text())
            .finish_non_exhaustive()
    }
}

/// The content type of a request, if that is gRPC's.
pub(super) fn grpc_type(headers: &HeaderMap) -> Option<&HeaderValue> {
    let content_type = headers.get(CONTENT_TYPE)?;
    let known = content_type.as_bytes().get(..GRPC.len())?;
    known.eq_ignore_ascii_case(GRPC).then_some(content_type)
}

/// What logs have for a client that closed its connection; nginx began with it.
const CLIENT_CLOSED_REQUEST: u16 = 499;
const RETRY_AT_ONCE: Duration = Duration::from_secs(1);
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
const GRPC: &[u8] = b"application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
