//! Calls that are cancelled at any moment, before, while and after they are answered, over one connection.

use std::sync::Arc;
use std::time::Duration;

use cancelable::{Cancelable, Registry};
use cancelable_http::{CallCancelled, CancelableLayer};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tonic::{Request, Response};

use super::bounded;
use super::grpc::{ask, client, serve_as};

const CALLS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hammer_calls_that_are_cancelled_at_any_moment_leave_no_handler() {
    let registry = Registry::new();
    let (tell, mut ended) = mpsc::unbounded_channel();
    let requests = CancelableLayer::new().registered_in(&registry);
    let requests = requests.plan(move |operation, _| {
        let [completed, cancelled] = [tell.clone(), tell.clone()];
        operation
            .on_complete(move |_| completed.send(()).unwrap())
            .on_cancel(move |_| cancelled.send(()).unwrap())
    });
    let handlers = Arc::new(());
    let held = Arc::clone(&handlers);
    let server = serve_as(requests, move |request: Request<String>| {
        let held = Arc::clone(&held);
        async move {
            yield_times(request.get_ref().len()).await;
            drop(held);
            Ok(Response::new("done".to_owned()))
        }
    });
    let channel = client(server).await;
    let is_alive = async || bounded(ask(&mut channel.clone(), "??")).await.unwrap() == "done";
    assert!(is_alive().await);
    bounded(ended.recv()).await.unwrap();
    // Those that the server keeps for the connection.
    let idle = Arc::strong_count(&handlers);

    let calls = (0..CALLS).map(|number| {
        let mut client = channel.clone();
        let question = "?".repeat(number * 11 % 40);
        let run = Cancelable::new().grace(Duration::from_secs(60));
        tokio::spawn(run.run(async move |op| {
            let cancel = async {
                yield_times(number * 7 % 300).await;
                op.cancel();
            };
            tokio::join!(ask(&mut client, &question), cancel).0
        }))
    });
    for call in calls.collect::<Vec<_>>() {
        match bounded(call).await.unwrap().unwrap() {
            Ok(answer) => assert_eq!(answer, "done"),
            Err(status) => assert!(CallCancelled::find(&status).is_some(), "{status:?}"),
        }
    }
    // The connection is as good as new; and by its order the server has seen all that came before.
    assert!(is_alive().await);
    let started = registry.statistics().started;
    for _ in 1..started {
        bounded(ended.recv()).await.unwrap();
    }
    assert_eq!(Arc::strong_count(&handlers), idle, "of {started} handlers");
}

async fn yield_times(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}
