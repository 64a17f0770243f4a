//! How shields, grace, tasks and finalizers meet (O3-O7): whenever the run is dropped, or whatever ends it, all of them are
//! seen to, in their order, once.

use std::future::pending;
use std::time::Duration;

use cancelable::{Cancelable, CancellationToken, OperationStatus};
use tokio::sync::oneshot;
use tokio::time::{advance, sleep};

use crate::support::{Handle, Log, poll_once, secs};

/// When what happens, by the clock of [`run_until`]: a cancel at 2 s, a grace of 3, a shield in the body from 1 to 7, one in a
/// task from 1 to 9, and two finalizers of two seconds each.
async fn everything(log: Log, handle: Handle, token: CancellationToken, done: oneshot::Sender<()>) {
    let (first, second) = (log.clone(), log.clone());
    let outcome = Cancelable::new()
        .token(&token)
        .grace(secs(3))
        .on_cancel(move |_| done.send(()).expect("it is awaited"))
        .finalizer(None, async move |_| {
            first.note("first begins");
            sleep(secs(2)).await;
            first.note("first ends");
        })
        .run(async |op| {
            handle.keep(&op);
            op.finalizer(None, async move |_| {
                second.note("second begins");
                sleep(secs(2)).await;
                second.note("second ends");
            });
            let _body = log.note_on_drop("body dropped");
            let (own, noted) = (op.clone(), log.clone());
            drop(op.spawn(async move {
                let _task = noted.note_on_drop("task dropped");
                sleep(secs(1)).await;
                own.shield(sleep(secs(8))).await;
                noted.note("task after its shield");
                pending::<()>().await;
            }));
            sleep(secs(1)).await;
            op.shield(sleep(secs(6))).await;
            log.note("body after its shield");
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
    log.note("returned");
}

/// Runs it all for so many seconds, and then drops it; says what happened, before and after.
async fn run_until(seconds: u64) -> (Vec<String>, Vec<String>) {
    let (log, handle, token) = (Log::default(), Handle::default(), CancellationToken::new());
    let (done, end) = oneshot::channel();
    let mut run = Box::pin(everything(log.clone(), handle.clone(), token.clone(), done));
    for second in 0..seconds {
        // Several polls each, for what is woken by what a poll does.
        for _ in 0..5 {
            let is_over = poll_once(run.as_mut()).is_ready();
            tokio::task::yield_now().await;
            if is_over {
                return (log.take(), vec![]);
            }
        }
        if second == 2 {
            token.cancel();
        }
        advance(secs(1)).await;
    }
    drop(run);
    let before = log.take();
    if handle.is_empty() {
        return (before, log.take());
    }
    let op = handle.there();
    tokio::time::timeout(secs(60), end)
        .await
        .expect("all is seen to within a minute")
        .expect("it ends once");
    assert_eq!(op.status(), OperationStatus::Cancelled);
    assert_eq!(op.context().skipped_finalizers, 0);
    (before, log.take())
}

#[tokio::test(start_paused = true)]
async fn law_o7_meets_shields_and_grace_whenever_the_run_is_dropped() {
    let all = [
        "body dropped",
        "task dropped",
        "second begins",
        "second ends",
        "first begins",
        "first ends",
    ];
    let mut states = Vec::new();
    for seconds in 1..20 {
        let (before, after) = run_until(seconds).await;
        let mut both = before.clone();
        both.extend(after);
        let is_whole = both.last().is_some_and(|last| last == "returned");
        assert_eq!(both[..6], all, "dropped after {seconds} s");
        assert_eq!(both.len(), if is_whole { 7 } else { 6 });
        states.push(before.len());
    }
    // Dropped running or while tasks leave (1: the body that goes with it), in either finalizer, and not at all.
    states.dedup();
    assert_eq!(states, [1, 3, 5, 7]);
}

/// The body goes when its grace is over and its shield has ended, the task likewise, the finalizers come after both.
#[tokio::test(start_paused = true)]
async fn law_o6_and_o5_and_o7_in_their_order_and_at_their_time() {
    let log = Log::default();
    let (done, end) = oneshot::channel();
    let token = CancellationToken::new();
    let run = everything(log.clone(), Handle::default(), token.clone(), done);
    let start = tokio::time::Instant::now();
    let timed = async {
        let mut seen = Vec::new();
        for second in 0..16 {
            if second == 2 {
                token.cancel();
            }
            sleep(Duration::from_millis(1)).await;
            seen.push((second, log.take()));
            sleep(start + secs(second + 1) - tokio::time::Instant::now()).await;
        }
        seen.retain(|(_, seen)| !seen.is_empty());
        seen
    };
    let ((), seen) = tokio::join!(run, timed);
    let expected = [
        (7, vec!["body dropped"]),
        (9, vec!["task dropped", "second begins"]),
        (11, vec!["second ends", "first begins"]),
        (13, vec!["first ends", "returned"]),
    ];
    let expected = expected.map(|(at, all)| (at, all.into_iter().map(str::to_owned).collect()));
    assert_eq!(seen, expected);
    assert_eq!(end.await, Ok(()));
}
