//! T6: what a request's operation, the exchange with the server and their wakers know of each other is gone with the request,
//! whichever way that ended.

use std::convert::Infallible;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cancelable::{Operation, Reason, WeakOperation};
use cancelable_http::{CancelableLayer, Disconnect, RequestBody};
use futures_util::stream;
use http::Request;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use super::{stalled, streamed, text};

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn law_t6_nothing_is_kept_of_a_request_that_is_over() {
    let met: Arc<Mutex<Option<WeakOperation>>> = Arc::default();
    for disconnect in [Disconnect::Cancel, Disconnect::Detach] {
        let here = Arc::clone(&met);
        let layer = CancelableLayer::new()
            .timeout(Duration::from_secs(9))
            .disconnect(disconnect);
        let service = layer.layer(service_fn(
            move |request: Request<RequestBody<&'static str>>| {
                let op = Operation::current().unwrap();
                *here.lock().unwrap() = Some(op.downgrade());
                async move {
                    Ok::<_, Infallible>(match *request.body().get_ref() {
                        "whole" => text("whole"),
                        "streamed" => streamed(stream::iter(["a", "b"].map(Into::into))),
                        "stalled" => stalled("first", ()),
                        "spawned" => {
                            drop(op.spawn(tokio::time::sleep(Duration::from_secs(1))));
                            text("whole")
                        }
                        _ => pending().await,
                    })
                }
            },
        ));
        for what in ["whole", "streamed", "spawned"] {
            let response = service.clone().oneshot(Request::new(what)).await.unwrap();
            response.into_body().collect().await.unwrap();
            gone(&met, what).await;
        }
        // Its client leaves, or its limit passes, before the head and after it; read on, or not.
        for what in ["waits", "stalled"] {
            for way in ["leaves", "limit", "cancel"] {
                let mut response = Box::pin(service.clone().oneshot(Request::new(what)));
                let polled = poll_once(response.as_mut());
                let weak = met.lock().unwrap().clone().unwrap();
                if way == "cancel" {
                    weak.upgrade().unwrap().cancel_with(Reason::Manual);
                }
                match polled {
                    Poll::Ready(response) if way == "leaves" => {
                        let mut body = response.unwrap().into_body();
                        assert!(poll_once(pin!(body.frame())).is_ready());
                        assert!(poll_once(pin!(body.frame())).is_pending());
                    }
                    Poll::Ready(_unread) if way == "limit" => {
                        tokio::time::sleep(Duration::from_secs(10)).await;
                    }
                    Poll::Ready(response) => {
                        assert!(response.unwrap().into_body().collect().await.is_err());
                    }
                    Poll::Pending if way == "leaves" => {}
                    Poll::Pending => assert!(response.as_mut().await.is_ok()),
                }
                drop(response);
                gone(&met, &format!("{what}, {way}, {disconnect:?}")).await;
            }
        }
    }
}

/// Waits until the operation is no more.
async fn gone(met: &Mutex<Option<WeakOperation>>, what: &str) {
    let weak = met.lock().unwrap().take().unwrap();
    // The limit of what goes on without its client is the last to pass.
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(weak.upgrade().is_none(), "{what}: {weak:?}");
}
