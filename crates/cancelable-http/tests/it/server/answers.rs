//! W4: what a client is told of an operation that was cancelled before there was a response, and what it sees of one that was
//! cancelled after that.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, CancellationToken, Operation, Reason};
use cancelable_http::{Answer, CancelableLayer, DeadlineHeaders, Shutdown};
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tower::{Layer, ServiceExt, service_fn};

use super::{
    Answered, BoxError, GET, bounded, read_to_end, read_until, sent, serve, streamed, text,
};

/// The answer to a request whose handler does this, and never comes to an end.
async fn answer(
    layer: CancelableLayer,
    request: Request<()>,
    act: impl FnOnce(Operation) + Clone + Send + 'static,
) -> Response<String> {
    let service = layer.layer(service_fn(move |_: Request<_>| {
        let act = act.clone();
        async move {
            act(Operation::current().unwrap());
            Ok::<_, Infallible>(pending::<Answered>().await)
        }
    }));
    let response = service.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(parts, String::from_utf8(body.to_vec()).unwrap())
}

fn retry_after<B>(response: &Response<B>) -> Option<&str> {
    let field = response.headers().get(RETRY_AFTER)?;
    Some(field.to_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn law_w4_its_own_deadline_is_504() {
    let layer = CancelableLayer::new().timeout(Duration::from_secs(5));
    let response = answer(layer, Request::new(()), drop).await;
    assert_eq!(response.status(), 504);
    assert_eq!(
        response.headers()[CONTENT_TYPE],
        "text/plain; charset=utf-8"
    );
    assert_eq!(response.body(), "the request took too long\n");
    assert_eq!(retry_after(&response), None);
    // Where there is no time at all, the service is not called.
    let layer = CancelableLayer::new().timeout(Duration::ZERO);
    let response = answer(layer, Request::new(()), |_| unreachable!("it has no time")).await;
    assert_eq!(response.status(), 504);
}

#[tokio::test(start_paused = true)]
async fn law_w4_each_reason_has_its_status() {
    for reason in Reason::ALL {
        let expected = match reason {
            Reason::Timeout => (504, None, 4),
            Reason::Disconnected => (499, None, 1),
            Reason::Shutdown => (503, Some("1"), 14),
            _ => (503, None, 14),
        };
        let said = |response: &Response<String>| {
            let answer = Answer::to(&Cancellation::new(*reason));
            let grpc = answer.grpc_status();
            assert_eq!(answer.status(), response.status());
            assert_eq!(answer.text(), response.body());
            (
                response.status().as_u16(),
                retry_after(response).map(str::to_owned),
                grpc,
            )
        };
        let expected = (expected.0, expected.1.map(str::to_owned), expected.2);
        let act = |op: Operation| assert!(op.cancel_with(*reason));
        let response = answer(CancelableLayer::new(), Request::new(()), act).await;
        assert_eq!(said(&response), expected, "{reason}");

        // One that is cancelled with what encloses it is judged by that.
        let outer = CancellationToken::new();
        let token = outer.child_token();
        let layer = CancelableLayer::new().plan(move |plan, _| plan.token(&token));
        let act = move |_| assert!(outer.cancel_with(*reason));
        let response = answer(layer, Request::new(()), act).await;
        assert_eq!(said(&response), expected, "parent, {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn law_w4_an_outer_limit_is_a_limit() {
    let run = Cancelable::new()
        .grace(Duration::from_secs(1))
        .timeout(Duration::from_secs(1));
    let response = run
        .run(|_| answer(CancelableLayer::new(), Request::new(()), drop))
        .await;
    assert_eq!(response.unwrap().status(), 504);
}

#[tokio::test(start_paused = true)]
async fn law_w4_a_client_of_grpc_is_told_in_its_own_words() {
    let request = |content_type: &str| {
        let mut request = Request::new(());
        let content_type = content_type.parse().unwrap();
        request.headers_mut().insert(CONTENT_TYPE, content_type);
        request
    };
    let layer = CancelableLayer::new().timeout(Duration::from_secs(5));
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "application/GRPC-web",
    ] {
        let response = answer(layer.clone(), request(content_type), drop).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], content_type);
        assert_eq!(response.headers()["grpc-status"], "4");
        assert_eq!(
            response.headers()["grpc-message"],
            "the request took too long"
        );
        assert_eq!(response.body(), "");
    }
    for content_type in ["application/grp", "text/plain", ""] {
        let response = answer(layer.clone(), request(content_type), drop).await;
        assert_eq!(response.status(), 504, "{content_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn law_w4_when_to_come_again_is_said_in_whole_seconds() {
    for (delay, said) in [
        (Duration::ZERO, "0"),
        (Duration::from_millis(1), "1"),
        (Duration::from_secs(30), "30"),
        (Duration::MAX, "18446744073709551615"),
    ] {
        let layer = CancelableLayer::new().retry_after(delay);
        let act = |op: Operation| assert!(op.cancel_with(Reason::Shutdown));
        let response = answer(layer, Request::new(()), act).await;
        assert_eq!(retry_after(&response), Some(said));
    }
}

#[tokio::test(start_paused = true)]
async fn law_w4_at_a_shutdown_what_runs_has_its_grace_and_what_comes_is_turned_away() {
    let shutdown = Shutdown::new().grace(Duration::from_secs(3));
    let layer = CancelableLayer::new().shutdown(&shutdown);
    let start = tokio::time::Instant::now();
    let begin = shutdown.clone();
    let act = move |_| assert!(begin.begin());
    let response = answer(layer.clone(), Request::new(()), act).await;
    assert_eq!(
        (response.status().as_u16(), retry_after(&response)),
        (503, Some("1"))
    );
    assert_eq!(start.elapsed(), Duration::from_secs(3));

    let late = answer(layer, Request::new(()), |_| {
        unreachable!("it comes too late")
    })
    .await;
    assert_eq!(
        (late.status().as_u16(), retry_after(&late)),
        (503, Some("1"))
    );
    assert_eq!(late.body(), "the service is shutting down\n");
    let report = shutdown.finished().await;
    assert!(report.is_clean(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn law_w5_no_client_lengthens_a_deadline_and_none_sets_one_unasked() {
    let server = CancelableLayer::new().timeout(Duration::from_secs(5));
    let asks = server
        .clone()
        .deadline_headers(DeadlineHeaders::own().at_least(Duration::from_secs(1)));
    let has_none = CancelableLayer::new().deadline_headers(DeadlineHeaders::own());
    for (layer, header, took) in [
        (&server, "1000", 5),
        (&asks, "3000", 3),
        (&asks, "3600000", 5),
        (&asks, "0", 1),
        (&asks, "-1", 5),
        (&asks, "", 5),
        (&asks, "99999999999999999999999999", 5),
        (&has_none, "2000", 2),
    ] {
        let mut request = Request::new(());
        request
            .headers_mut()
            .insert("x-cancelable-timeout-ms", header.parse().unwrap());
        let start = tokio::time::Instant::now();
        let response = answer(layer.clone(), request, drop).await;
        assert_eq!(response.status(), 504);
        assert_eq!(start.elapsed(), Duration::from_secs(took), "{header}");
    }
}

#[tokio::test]
async fn law_w5_a_layer_inside_another_is_asked_within_the_bounds_of_both() {
    let limit = |seconds| CancelableLayer::new().timeout(Duration::from_secs(seconds));
    let asks = || {
        let headers = DeadlineHeaders::own().at_most(Duration::from_secs(600));
        CancelableLayer::new().deadline_headers(headers)
    };
    for (outer, inner, most) in [
        (limit(1000), asks(), 600),
        (limit(500), asks(), 500),
        (asks(), limit(1000), 600),
        (asks(), limit(200), 200),
        (limit(1000), CancelableLayer::new(), 1000),
    ] {
        let service = outer.layer(inner.layer(service_fn(async |_: Request<_>| {
            let left = Operation::current().unwrap().remaining().unwrap();
            Ok::<_, Infallible>(text(left.as_secs().to_string()))
        })));
        let mut request = Request::new(());
        let header = "800000".parse().unwrap();
        request
            .headers_mut()
            .insert("x-cancelable-timeout-ms", header);
        let response = service.oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let left: u64 = std::str::from_utf8(&body).unwrap().parse().unwrap();
        assert!((most - 60..=most).contains(&left), "{left} s of {most}");
    }
}

#[tokio::test(start_paused = true)]
async fn law_w4_a_body_that_is_cut_ends_with_the_cancellation() {
    let layer = CancelableLayer::new().timeout(Duration::from_secs(5));
    let service = layer.layer(service_fn(|_: Request<_>| async {
        let first = stream::iter([bytes::Bytes::from_static(b"first")]);
        Ok::<_, Infallible>(streamed(first.chain(stream::pending())))
    }));
    let response = service.oneshot(Request::new(())).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "first");
    let error: BoxError = body.frame().await.unwrap().unwrap_err();
    let why = error.downcast::<Cancellation>().unwrap();
    assert_eq!(why.reason(), Reason::Timeout);
    assert!(body.frame().await.is_none());
    assert!(hyper::body::Body::is_end_stream(&body));
}

#[tokio::test]
async fn law_w4_no_client_takes_a_body_that_is_cut_for_a_whole_one() {
    let (tell, mut operations) = mpsc::unbounded_channel();
    let server = serve(CancelableLayer::new(), move |_| {
        tell.send(Operation::current().unwrap()).unwrap();
        async { super::stalled("first", ()) }
    })
    .await;
    let mut socket = sent(&server, GET).await;
    let begin = read_until(&mut socket, "\r\n5\r\nfirst\r\n").await;
    assert!(begin.starts_with("HTTP/1.1 200 "), "{begin}");
    operations.recv().await.unwrap().cancel();
    assert_eq!(read_to_end(&mut socket).await, "");

    let two = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let url = format!("http://{}/", server.address);
    let mut response = bounded(two.get(url).send()).await.unwrap();
    let first = bounded(response.chunk()).await.unwrap();
    assert_eq!(first.as_deref(), Some(&b"first"[..]));
    operations.recv().await.unwrap().cancel();
    assert!(bounded(response.chunk()).await.is_err());
}
