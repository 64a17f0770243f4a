//! [`layer`], the tower layer with what axum knows of a request.

use axum::extract::MatchedPath;
use cancelable_http::RequestHead;

use crate::CancelableLayer;

/// A [`CancelableLayer`] that names operations by their route: `GET /users/{id}`.
///
/// Never by the path that a client wrote, so there are no more names than routes; where no route matches, the name is
/// `GET (no route)`. Of operations that are [listed](CancelableLayer::registered_in) the metadata has `method`, and `route` where one
/// matches, unless [`metadata`](CancelableLayer::metadata) says otherwise.
///
/// It is put around an app by `Router::layer`, around the routes alone by `Router::route_layer`, and around one route by
/// `MethodRouter::layer`. A layer inside another one makes no second operation: what it says of clients that leave holds from there
/// on, and its timeout counts as well.
///
/// ```
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use cancelable_axum::{CurrentOperation, layer};
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// async fn user(op: CurrentOperation) -> String {
///     op.name().unwrap_or_default().to_owned()
/// }
///
/// let app = Router::new().route("/users/{id}", get(user)).layer(layer());
/// let request = Request::get("/users/7").body(Body::empty()).unwrap();
/// let response = app.oneshot(request).await.unwrap();
/// let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
/// assert_eq!(body, "GET /users/{id}");
/// # }
/// ```
pub fn layer() -> CancelableLayer {
    CancelableLayer::default().name(name).listed_metadata(facts)
}

fn name(head: &RequestHead<'_>) -> String {
    let route = route(head).unwrap_or("(no route)");
    [head.method().as_str(), " ", route].concat()
}

fn facts(head: &RequestHead<'_>) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let method = ("method", head.method().as_str().to_owned());
    let route = route(head).map(|route| ("route", route.to_owned()));
    std::iter::once(method).chain(route)
}

/// The route, as the program wrote it.
fn route<'a>(head: &RequestHead<'a>) -> Option<&'a str> {
    head.extensions().get().map(MatchedPath::as_str)
}
