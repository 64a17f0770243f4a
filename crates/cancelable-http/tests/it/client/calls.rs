//! Calls of a client that are over with the operation that makes them, and say what remains of it; time stands still.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cancelable::{Cancelable, CancellationToken, Reason};
use cancelable_http::{CallCancelled, DeadlineHeader, DeadlineLayer};
use http::{HeaderMap, Request};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::bounded;

const MS: Duration = Duration::from_millis(1);
const OWN: &str = "x-cancelable-timeout-ms";

#[tokio::test(start_paused = true)]
async fn law_x1_what_remains_is_sent_rounded_down_and_shrinks() {
    let sent = Cancelable::new()
        .timeout(Duration::from_micros(1_500_900))
        .run(async |_| {
            let first = told(DeadlineLayer::new(), Request::new(())).await;
            sleep(Duration::from_micros(400_100)).await;
            let second = told(DeadlineLayer::default(), Request::new(())).await;
            let third = told(DeadlineLayer::grpc(), Request::new(())).await;
            let connect = DeadlineLayer::sending(DeadlineHeader::Connect);
            [first, second, third, told(connect, Request::new(())).await]
        })
        .await
        .unwrap();
    assert_eq!(sent[0][OWN], "1500");
    // tokio's clock ticks in milliseconds, and never early.
    assert_eq!(sent[1][OWN], "1099");
    assert_eq!(sent[2]["grpc-timeout"], "1099900u");
    assert_eq!(sent[3]["connect-timeout-ms"], "1099");
    assert_eq!(sent.map(|headers| headers.len()), [1; 4]);
}

#[tokio::test(start_paused = true)]
async fn law_x1_a_smaller_deadline_of_the_request_is_kept() {
    let check =
        async |layer: DeadlineLayer, name: &'static str, values: &[&str], expected: &[&str]| {
            let mut request = Request::new(());
            for value in values {
                request.headers_mut().append(name, value.parse().unwrap());
            }
            let run = Cancelable::new().timeout(Duration::from_secs(1));
            let sent = run.run(async |_| told(layer, request).await).await.unwrap();
            let sent: Vec<_> = sent.get_all(name).iter().collect();
            assert_eq!(sent, expected, "{values:?}");
        };
    let own = DeadlineLayer::new();
    check(own, OWN, &["999"], &["999"]).await;
    check(own, OWN, &["1000"], &["1000"]).await;
    check(own, OWN, &["1001"], &["1000"]).await;
    check(own, OWN, &["5000", "7", "6000"], &["5000", "7", "6000"]).await;
    check(own, OWN, &["5000", "7000"], &["1000"]).await;
    check(own, OWN, &["soon"], &["1000"]).await;
    check(own, OWN, &["0"], &["0"]).await;
    let grpc = DeadlineLayer::grpc();
    check(grpc, "grpc-timeout", &["900m"], &["900m"]).await;
    check(grpc, "grpc-timeout", &["1M"], &["1000000u"]).await;
    check(grpc, OWN, &["70000"], &["70000"]).await;
}

#[tokio::test(start_paused = true)]
async fn law_x1_with_less_than_a_unit_left_no_call_is_made() {
    let calls = Arc::new(Calls::default());
    let run = Cancelable::new().timeout(Duration::from_micros(999));
    let (error, status) = run
        .run(async |op| {
            let client = DeadlineLayer::new().layer(calls.service());
            let error = client.oneshot(Request::new(())).await.unwrap_err();
            (error, op.status())
        })
        .await
        .unwrap();
    let error = CallCancelled::find(&*error).expect("it is a cancel");
    assert!(error.is_timeout() && !error.was_sent());
    assert_eq!(error.cancellation().reason(), Reason::Timeout);
    let text =
        "call not made: less than the millisecond is left that `x-cancelable-timeout-ms` counts in";
    assert_eq!(error.to_string(), text);
    assert_eq!(calls.made(), 0);
    // The operation itself goes on until its time is up.
    assert_eq!(status, cancelable::OperationStatus::Running);

    let run = Cancelable::new().timeout(Duration::from_micros(999));
    let sent = run.run(async |_| told(DeadlineLayer::grpc(), Request::new(())).await);
    assert_eq!(sent.await.unwrap()["grpc-timeout"], "999000n");
}

#[tokio::test(start_paused = true)]
async fn without_an_operation_or_a_deadline_the_request_stays_as_it_is() {
    let mut request = Request::new(());
    request.headers_mut().insert(OWN, "12".parse().unwrap());
    let expected = request.headers().clone();
    let again = request.clone();
    assert_eq!(told(DeadlineLayer::new(), request).await, expected);
    let run = Cancelable::new().run(async |_| told(DeadlineLayer::new(), again).await);
    assert_eq!(run.await.unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_operation_makes_no_call() {
    let calls = Arc::new(Calls::default());
    let outcome = Cancelable::new()
        .run(async |op| {
            op.cancel_with("not needed any more");
            let client = DeadlineLayer::new().layer(calls.service());
            client.oneshot(Request::new(())).await.unwrap_err()
        })
        .await;
    let error = outcome.unwrap();
    let error = CallCancelled::find(&*error).expect("it is a cancel");
    assert!(!error.is_timeout() && !error.was_sent());
    assert_eq!(error.to_string(), "call not made: not needed any more");
    assert_eq!(calls.made(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_drops_the_call_also_where_the_operation_goes_on() {
    let calls = Arc::new(Calls::default());
    let start = Instant::now();
    let stop = CancellationToken::new();
    let outcome = Cancelable::new()
        .token(&stop)
        .grace(Duration::from_secs(5))
        .run(async |_| {
            let mut client = DeadlineLayer::new().layer(calls.service());
            let mut call = pin!(client.call(Request::new(())));
            let canceller = async {
                calls.begun.notified().await;
                stop.cancel_with(Reason::Shutdown);
            };
            let (answer, ()) = tokio::join!(call.as_mut(), canceller);
            // Not only when its future goes.
            assert_eq!(calls.dropped(), 1);
            // It has its grace to say something in its own words.
            sleep(MS).await;
            answer.unwrap_err()
        })
        .await;
    let error = outcome.unwrap();
    let error = CallCancelled::find(&*error).expect("it is a cancel");
    assert!(error.was_sent() && !error.is_timeout());
    assert_eq!(error.cancellation().reason(), Reason::Shutdown);
    assert_eq!(error.to_string(), "call given up: shutting down");
    assert_eq!(start.elapsed(), MS);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_an_operation_around_counts_and_its_end_is_a_timeout() {
    let calls = Arc::new(Calls::default());
    let outer = Cancelable::new().timeout(Duration::from_secs(2));
    let outcome = outer
        .run(async |_| {
            let inner = Cancelable::new().timeout(Duration::from_secs(60));
            let inner = inner.grace(Duration::from_secs(1));
            inner
                .run(async |_| {
                    let sent = told(DeadlineLayer::new(), Request::new(())).await;
                    assert_eq!(sent[OWN], "2000");
                    let client = DeadlineLayer::new().layer(calls.service());
                    let error = client.oneshot(Request::new(())).await.unwrap_err();
                    let error = CallCancelled::find(&*error).expect("it is a cancel");
                    assert!(error.is_timeout() && error.was_sent());
                    assert_eq!(error.cancellation().reason(), Reason::Parent);
                })
                .await
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    assert_eq!(calls.dropped(), 1);
}

#[tokio::test(start_paused = true)]
async fn law_o5_a_call_in_a_shield_is_made_and_waited_for() {
    let told = Mutex::new(Vec::new());
    let service = service_fn(async |request: Request<()>| {
        told.lock().unwrap().push(request.headers()[OWN].clone());
        sleep(Duration::from_secs(3)).await;
        Ok::<_, Infallible>(())
    });
    let client = DeadlineLayer::new().layer(service);
    let outcome = Cancelable::new()
        .timeout(Duration::from_secs(1))
        .run(async |op| {
            // Time is up during the first call, and has been before the second.
            let section = async {
                client.clone().oneshot(Request::new(())).await.unwrap();
                assert!(op.is_cancelled());
                client.clone().oneshot(Request::new(())).await.unwrap();
            };
            let section = op.shield(section).limit(Duration::from_secs(10));
            section.await.unwrap();
            unreachable!("the cancel is delivered after the section");
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    // Inside, what remains is the section's own.
    assert_eq!(*told.lock().unwrap(), ["10000", "7000"]);
}

#[tokio::test(start_paused = true)]
async fn law_o2_a_response_that_is_there_is_not_lost_to_a_cancel() {
    let answer = Notify::new();
    let service = service_fn(async |_: Request<()>| {
        answer.notified().await;
        Ok::<_, Infallible>(7)
    });
    let client = DeadlineLayer::new().layer(service);
    let run = Cancelable::new().grace(MS).run(async |op| {
        let both_at_once = async {
            answer.notify_one();
            op.cancel();
        };
        let (answer, ()) = tokio::join!(client.oneshot(Request::new(())), both_at_once);
        answer.unwrap()
    });
    assert_eq!(run.await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_awaited_elsewhere_is_over_with_the_operation_that_made_it() {
    let calls = Arc::new(Calls::default());
    let task = OnceCell::new();
    let run = Cancelable::new().run(async |op| {
        let mut client = DeadlineLayer::new().layer(calls.service());
        let call = client.call(Request::new(()));
        task.set(tokio::spawn(call)).unwrap();
        calls.begun.notified().await;
        op.cancel();
    });
    run.await.unwrap();
    let answer = bounded(task.into_inner().unwrap()).await.unwrap();
    let error = answer.unwrap_err();
    assert!(CallCancelled::find(&*error).is_some_and(CallCancelled::was_sent));
    assert_eq!(calls.dropped(), 1);
}

#[tokio::test]
async fn errors_of_the_service_go_through() {
    let service = service_fn(async |_: Request<()>| Err::<(), _>("no route"));
    let client = DeadlineLayer::new().layer(service);
    let run = Cancelable::new().run(async |_| client.oneshot(Request::new(())).await);
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "no route");
    assert!(CallCancelled::find(&*error).is_none());
}

/// What a service is told that answers at once.
async fn told(layer: DeadlineLayer, request: Request<()>) -> HeaderMap {
    let service = service_fn(async |request: Request<()>| {
        Ok::<_, Infallible>(request.into_parts().0.headers)
    });
    layer.layer(service).oneshot(request).await.unwrap()
}

/// Calls that no one answers, and what became of them.
#[derive(Default)]
struct Calls {
    made: AtomicUsize,
    dropped: AtomicUsize,
    begun: Notify,
}

impl Calls {
    fn service(
        self: &Arc<Self>,
    ) -> impl Service<Request<()>, Response = (), Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static {
        let calls = Arc::clone(self);
        service_fn(move |_| {
            let calls = Arc::clone(&calls);
            calls.made.fetch_add(1, Ordering::Relaxed);
            async move {
                let _dropped = OnDrop(Arc::clone(&calls));
                calls.begun.notify_one();
                pending().await
            }
        })
    }

    fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

struct OnDrop(Arc<Calls>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
