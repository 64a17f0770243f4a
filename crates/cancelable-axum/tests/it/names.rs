//! What operations are called, wherever the layer is put, and what handlers get of them.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::{get, post};
use cancelable::{Operation, Registry};
use cancelable_axum::{CurrentOperation, layer};
use http::{Request, StatusCode};
use tower::ServiceExt;

/// What an app answers to this.
async fn answer(app: &Router, method: &str, path: &str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 100_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn name(op: CurrentOperation) -> String {
    let current = Operation::current().unwrap();
    assert_eq!(current.id(), op.id());
    op.name().unwrap().to_owned()
}

async fn check(app: Router, cases: &[(&str, &str, &str)]) {
    for (method, path, expected) in cases {
        let (status, said) = answer(&app, method, path).await;
        assert_eq!(
            (status, said.as_str()),
            (StatusCode::OK, *expected),
            "{path}"
        );
    }
}

#[tokio::test]
async fn operations_are_named_by_their_route_wherever_the_layer_is() {
    let routes = || {
        let inner = Router::new().route("/{name}/end", get(name));
        Router::new()
            .route("/users/{id}", get(name).delete(name))
            .route("/files/{*path}", get(name))
            .nest("/api/{version}", inner)
    };
    let cases = [
        ("GET", "/users/7", "GET /users/{id}"),
        ("DELETE", "/users/%2e%2e?x=y", "DELETE /users/{id}"),
        ("GET", "/files/a/b/c", "GET /files/{*path}"),
        ("GET", "/api/1/z/end", "GET /api/{version}/{name}/end"),
    ];
    check(routes().layer(layer()), &cases).await;
    check(routes().route_layer(layer()), &cases).await;
    check(routes().layer(layer()).route_layer(layer()), &cases).await;
    let one = Router::new().route("/users/{id}", get(name).layer(layer()));
    check(one, &cases[..1]).await;
}

#[tokio::test]
async fn what_has_no_route_has_no_name_that_a_client_made_up() {
    let registry = Registry::new();
    let app = Router::new()
        .route("/users/{id}", get(name))
        .fallback(name)
        .layer(layer().registered_in(&registry));
    check(app.clone(), &[("GET", "/made-up/1", "GET (no route)")]).await;
    let ended = registry.history(&cancelable::Filter::new());
    assert_eq!(ended[0].metadata["method"], "GET");
    assert_eq!(ended[0].metadata.get("route"), None);
    check(app, &[("GET", "/users/1", "GET /users/{id}")]).await;
    let ended = registry.history(&cancelable::Filter::new());
    assert_eq!(ended[0].metadata["route"], "/users/{id}");
}

#[tokio::test]
async fn a_request_that_is_no_operation_is_told_apart() {
    async fn maybe(op: Option<CurrentOperation>) -> String {
        op.map_or("none".to_owned(), |op| op.name().unwrap().to_owned())
    }
    let bare = Router::new()
        .route("/must", get(name))
        .route("/may", get(maybe));
    let (status, said) = answer(&bare, "GET", "/must").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(said.contains("`cancelable_axum::layer()`"), "{said}");
    check(bare.clone(), &[("GET", "/may", "none")]).await;
    check(bare.layer(layer()), &[("GET", "/may", "GET /may")]).await;
}

#[tokio::test]
async fn a_handler_takes_the_operation_beside_other_things() {
    async fn echo(op: CurrentOperation, body: String) -> String {
        let op: Operation = op.into();
        format!("{} {body}", op.name().unwrap())
    }
    let app = Router::new().route("/echo", post(echo)).layer(layer());
    let request = Request::post("/echo").body(Body::from("hello")).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let body = to_bytes(response.into_body(), 1000).await.unwrap();
    assert_eq!(body, "POST /echo hello");
}
