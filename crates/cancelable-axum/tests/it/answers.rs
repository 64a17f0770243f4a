//! W4 as axum answers it: the layer's answers, and what handlers return by `?`.

use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use cancelable::{Cancelable, Cancellation, Reason};
use cancelable_axum::{Answer, Cancelled, CurrentOperation, Shutdown, layer};
use reqwest::header::RETRY_AFTER;

use crate::support::{Service, bounded, clients, heard};

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn law_w4_own_deadline_is_504_and_what_handlers_return_is_answered_the_same() {
    async fn by_itself() -> Result<(), Cancelled> {
        let limited = Cancelable::new().timeout(SHORT);
        limited.run(async |_| pending::<()>().await).await?;
        Ok(())
    }
    async fn stopped(op: CurrentOperation) -> Result<(), Cancelled> {
        op.cancel_with("not today");
        op.check()?;
        Ok(())
    }
    let app = Router::new()
        .route("/limited", get(async || pending::<()>().await))
        .route("/by-itself", get(by_itself))
        .route("/stopped", get(stopped))
        .layer(layer().timeout(Duration::from_secs(1)));
    let service = Service::start(app).await;
    for client in clients() {
        for (path, status) in [("/limited", 504), ("/by-itself", 504), ("/stopped", 503)] {
            let response = bounded(client.get(service.url(path)).send()).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let text = bounded(response.text()).await.unwrap();
            let why = match status {
                504 => Reason::Timeout,
                _ => Reason::Manual,
            };
            assert_eq!(text, Answer::to(&why.into()).text(), "{path}");
        }
    }
}

#[tokio::test]
async fn law_w4_every_reason_is_answered_by_handlers_as_by_the_layer() {
    use axum::response::IntoResponse;
    for reason in Reason::ALL {
        let why = Cancellation::new(*reason);
        let response = Cancelled::from(why.clone()).into_response();
        let answer = Answer::to(&why);
        assert_eq!(response.status(), answer.status(), "{reason}");
        assert_eq!(
            response.headers().get(RETRY_AFTER),
            answer.headers().get(RETRY_AFTER)
        );
    }
}

#[tokio::test]
async fn law_w4_a_request_during_a_shutdown_is_503_and_told_to_come_again() {
    let shutdown = Shutdown::new();
    let (layer, mut ends) = heard(layer().shutdown(&shutdown));
    let app = Router::new().route("/", get(async || "hello")).layer(layer);
    // One that goes on accepting, as behind a load balancer that has not heard yet.
    let service = Service::start(app).await;
    for client in clients() {
        let hello = bounded(client.get(service.url("/")).send()).await.unwrap();
        assert_eq!(bounded(hello.text()).await.unwrap(), "hello");
        assert_eq!(ends.next().await.cancellation, None);
    }
    shutdown.begin();
    for client in clients() {
        let response = bounded(client.get(service.url("/")).send()).await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let why = ends.next().await.cancellation.unwrap();
        assert_eq!(why.reason(), Reason::Shutdown);
    }
}
