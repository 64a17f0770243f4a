//! What is known of a request before its body: for functions that name operations.

use std::fmt;

use http::{Extensions, HeaderMap, Method, Request, Uri, Version};

/// The head of a request, for functions that say what its operation is like.
pub struct RequestHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    /// That of `request`.
    pub fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The method.
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// Where it went to. A client writes this, and it may have 64 KiB.
    pub fn uri(&self) -> &'a Uri {
        self.uri
    }

    /// The version of the protocol.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The header fields.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// What layers around this one have put beside it.
    pub fn extensions(&self) -> &'a Extensions {
        self.extensions
    }

    /// `GET /path`, the name that operations have unless another is said.
    pub(super) fn name(&self) -> String {
        let (method, path) = (self.method.as_str(), self.short_path());
        let mut name = String::with_capacity(method.len() + 1 + path.len());
        name.push_str(method);
        name.push(' ');
        name.push_str(path);
        name
    }

    /// The path, cut where it is so long that it would fill a history.
    pub(super) fn short_path(&self) -> &'a str {
        let path = self.uri.path();
        &path[..path.floor_char_boundary(LONGEST_PATH)]
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("uri", &self.uri)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// How much of a path is kept, in bytes.
const LONGEST_PATH: usize = 256;
