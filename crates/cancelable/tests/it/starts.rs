//! O1 and O2: what happens before the start, and what never starts.

use std::pin::pin;
use std::task::Poll;

use cancelable::{Cancelable, CancellationToken, Reason};
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, heard, poll_once, secs};

#[tokio::test(start_paused = true)]
async fn law_o2_what_is_cancelled_before_its_start_never_runs() {
    async fn check(what: &str, reason: Reason, plan: impl FnOnce(Cancelable) -> Cancelable) {
        let (log, handle) = (Log::default(), Handle::default());
        let keep = handle.clone();
        let outcome = plan(heard(&log)).run(async move |op| keep.keep(&op)).await;
        assert_eq!(outcome.unwrap_err().reason(), reason, "{what}");
        assert!(handle.is_empty(), "{what}: the body was called");
        assert_eq!(log.take(), ["cancel cancelled"], "{what}");
    }
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    let ended = Handle::default();
    let _ = Cancelable::new()
        .run(async |op| {
            ended.keep(&op);
            op.cancel();
        })
        .await;
    check("token", Reason::Manual, |plan| plan.token(&cancelled)).await;
    check("zero", Reason::Timeout, |plan| plan.timeout(secs(0))).await;
    let now = Instant::now();
    sleep(secs(1)).await;
    check("past", Reason::Timeout, |plan| plan.deadline(now)).await;
    check("now", Reason::Timeout, |plan| plan.deadline(Instant::now())).await;
    check("parent", Reason::Parent, |plan| plan.parent(&ended.there())).await;
    Cancelable::new()
        .run(async |op| {
            op.cancel();
            check("around", Reason::Parent, |plan| plan).await;
            check("both", Reason::Parent, |plan| plan.timeout(secs(0))).await;
        })
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn law_o1_nothing_happens_before_the_first_poll() {
    let log = Log::default();
    let run = heard(&log).timeout(secs(1)).run(async |op| op.remaining());
    let mut run = pin!(run);
    sleep(secs(9)).await;
    assert_eq!(log.take(), [""; 0]);
    let Poll::Ready(Ok(remaining)) = poll_once(run.as_mut()) else {
        panic!("its body is ready");
    };
    assert_eq!(remaining, Some(secs(1)));
}
