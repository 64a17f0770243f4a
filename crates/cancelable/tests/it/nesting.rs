//! O8: operations inside operations.

use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::task::Poll;

use cancelable::{Cancelable, CancellationToken, Operation, Origin, Reason};
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, OnDrop, heard, poll_once, secs};

#[tokio::test(start_paused = true)]
async fn law_o8_an_inner_timeout_ends_the_inner_one_only() {
    let start = Instant::now();
    let outcome = Cancelable::new()
        .timeout(secs(10))
        .run(async |outer| {
            let inner = Cancelable::new().timeout(secs(1));
            let inner = inner.run(async |_| pending::<()>().await).await;
            assert_eq!(inner.unwrap_err().reason(), Reason::Timeout);
            assert!(!outer.is_cancelled());
            sleep(secs(2)).await;
            "went on"
        })
        .await;
    assert_eq!(outcome.unwrap(), "went on");
    assert_eq!(start.elapsed(), secs(3));
}

#[tokio::test(start_paused = true)]
async fn law_o8_the_subtree_is_marked_before_anything_is_dropped() {
    async fn check(plan: Cancelable, handle: Handle, log: Log) {
        let seen = log.clone();
        let _ = plan
            .run(async move |outer| {
                handle.keep(&outer);
                let _ = Cancelable::new()
                    .run(async |inner| {
                        let below = inner.token().child_token();
                        let beside = CancellationToken::linked([&below]);
                        let (outer, inner) = (outer.clone(), inner.clone());
                        let _last = OnDrop(move || {
                            let all = [outer.token(), inner.token(), &below, &beside];
                            assert!(all.iter().all(|token| token.is_cancelled()));
                            seen.note("all marked");
                        });
                        pending::<()>().await;
                    })
                    .await;
            })
            .await;
        assert_eq!(log.take(), ["all marked"]);
    }
    check(
        Cancelable::new().timeout(secs(1)),
        Handle::default(),
        Log::default(),
    )
    .await;
    let token = CancellationToken::new();
    let canceller = token.clone();
    tokio::spawn(async move {
        sleep(secs(1)).await;
        canceller.cancel()
    });
    check(
        Cancelable::new().token(&token),
        Handle::default(),
        Log::default(),
    )
    .await;
    let log = Log::default();
    {
        let mut run = pin!(check(Cancelable::new(), Handle::default(), log.clone()));
        assert!(poll_once(run.as_mut()).is_pending());
    }
    assert_eq!(log.take(), ["all marked"]);
}

#[tokio::test]
async fn law_o8_detached_has_no_parent_unless_one_is_given() {
    let other = Handle::default();
    Cancelable::new()
        .id("other")
        .run(async |op| other.keep(&op))
        .await
        .unwrap();
    let outer = Cancelable::new().id("outer");
    let outcome = outer.run(async |outer| {
        let parent = async |plan: Cancelable| {
            let id = plan.run(async |op| op.context().parent_id).await;
            id.unwrap()
        };
        let here = Cancelable::new;
        assert_eq!(parent(here()).await.as_deref(), Some("outer"));
        assert_eq!(parent(here().name("x")).await.as_deref(), Some("outer"));
        assert_eq!(parent(here().detached()).await, None);
        assert_eq!(parent(here().name("x").detached()).await, None);
        let given = here().parent(&other.there());
        assert_eq!(parent(given).await.as_deref(), Some("other"));
        let given = here().detached().parent(&other.there());
        assert_eq!(parent(given).await.as_deref(), Some("other"));
        let given = other.there().child().combine(outer.child());
        assert_eq!(parent(given).await.as_deref(), Some("other"));
        outer.cancel();
        let detached = here().detached().run(async |op| op.is_cancelled()).await;
        assert!(!detached.unwrap());
    });
    outcome.await.unwrap();
}

#[tokio::test]
async fn law_o8_a_given_parent_reaches_into_another_task() {
    let (log, handle) = (Log::default(), Handle::default());
    let keep = handle.clone();
    let mut run = pin!(Cancelable::new().id("above").run(async move |op| {
        keep.keep(&op);
        pending::<()>().await;
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    let child = heard(&log)
        .combine(handle.there().child())
        .parent(&handle.there());
    let task = tokio::spawn(child.run(async |_| pending::<()>().await));
    handle.there().cancel_with("enough");
    let why = task.await.unwrap().unwrap_err();
    assert!(matches!(why.origin(), Origin::Parent { id: Some(id), .. } if id == "above"));
    assert_eq!(why.message(), "parent operation above was cancelled");
    assert_eq!(why.root_cause().message(), "enough");
    assert_eq!(
        format!("{why:#}"),
        "parent operation above was cancelled: enough"
    );
    drop(log);
}

#[tokio::test]
async fn law_o8_a_parent_that_has_ended_is_a_parent_still() {
    let parent = Handle::default();
    let keep = parent.clone();
    Cancelable::new()
        .id("ended")
        .run(async move |op| keep.keep(&op))
        .await
        .unwrap();
    let parent = parent.there();
    let context = parent.child().run(async |op| op.context()).await.unwrap();
    assert_eq!(context.parent_id.as_deref(), Some("ended"));
    let mut run = pin!(parent.child().run(async |_| pending::<()>().await));
    assert!(poll_once(run.as_mut()).is_pending());
    parent.cancel();
    assert_eq!(run.await.unwrap_err().reason(), Reason::Parent);
}

#[tokio::test]
async fn law_o8_a_linked_child_of_another_token_is_not_the_parent() {
    let foreign = CancellationToken::new();
    let below = foreign.child_token();
    let outcome = Cancelable::new()
        .id("around")
        .run(async |outer| {
            let inner = Cancelable::new().token(&below);
            foreign.cancel_with("over there");
            let why = inner.run(async |_| ()).await.unwrap_err();
            assert!(!outer.is_cancelled());
            why
        })
        .await;
    let why = outcome.unwrap();
    assert_eq!(why.reason(), Reason::Parent);
    assert!(matches!(why.origin(), Origin::Parent { id: None, .. }));
    assert_eq!(why.root_cause().message(), "over there");
}

/// Operations inside each other, this many, with how many ended well below each.
fn nested(depth: u32, log: Log) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            pending::<()>().await;
        }
        let innermost = log.clone();
        let plan = Cancelable::new().on_cancel(move |context| {
            let why = context.cancellation.as_ref().expect("cancelled");
            innermost.note(format!("{} {}", why.reason(), why.root_cause()));
        });
        let below = plan.run(async move |_| nested(depth - 1, log).await).await;
        below.map_or(0, |below| below + 1)
    })
}

#[test]
fn law_o8_nests_a_thousand_deep() {
    // A debug build's frames are large, and each level's body is polled by the one around it.
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    let thread = thread.spawn(|| {
        let (token, log) = (CancellationToken::new(), Log::default());
        let outermost = Cancelable::new().token(&token);
        let seen = log.clone();
        let mut run = pin!(outermost.run(async move |_| nested(1000, seen).await));
        assert!(poll_once(run.as_mut()).is_pending());
        token.cancel_with("the whole lot");
        // The innermost is cancelled; each of the others has what that one returned, and so has finished.
        assert!(matches!(poll_once(run.as_mut()), Poll::Ready(Ok(999))));
        assert_eq!(log.take(), ["parent the whole lot"]);
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn law_o8_a_long_line_of_parents_needs_no_stack() {
    let line = || {
        let mut last: Option<Operation> = None;
        for _ in 0..2_000 {
            let plan = last.as_ref().map_or_else(Cancelable::new, Operation::child);
            let mut run = pin!(plan.run(async |op| op));
            let Poll::Ready(Ok(op)) = poll_once(run.as_mut()) else {
                panic!("a body that is ready has ended");
            };
            last = Some(op);
        }
        last.expect("there are some")
    };
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    let thread = thread.spawn(move || {
        let last = line();
        assert!(!last.is_cancelled());
        assert_eq!(last.remaining(), None);
        last.report_progress("from below");
        assert!(last.cancel());
        drop(last);
    });
    thread.unwrap().join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn law_t4_each_cause_of_an_operation_is_as_the_one_around_it_tells_it() {
    let handles = [Handle::default(), Handle::default(), Handle::default()];
    let [outer, middle, inner] = &handles;
    let outcome = Cancelable::new()
        .timeout(secs(1))
        .run(async |op| {
            outer.keep(&op);
            let run = Cancelable::new().run(async |op| {
                middle.keep(&op);
                let run = Cancelable::new().run(async |op| {
                    inner.keep(&op);
                    pending::<()>().await;
                });
                run.await
            });
            let _ = run.await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().reason(), Reason::Timeout);
    let [outer, middle, inner] = handles.each_ref().map(Handle::there);
    let why = inner.cancellation().unwrap();
    assert_eq!(*why.origin(), Origin::parent(middle.id()));
    let cause = why.cause().unwrap();
    assert_eq!(*cause.origin(), Origin::parent(outer.id()));
    assert_eq!(Some(&cause), middle.cancellation().as_ref());
    assert_eq!(cause.cause(), outer.cancellation());
    assert_eq!(why.root_cause().message(), "timed out after 1s");
}

/// A handle that is kept has the power over what it was the parent of, though its operation has ended.
#[tokio::test(start_paused = true)]
async fn law_o8_a_parent_that_has_ended_still_cancels_and_is_still_named() {
    let (outer, reports) = (CancellationToken::new(), Log::default());
    let told = reports.clone();
    let outcome = Cancelable::new()
        .timeout(secs(60))
        .token(&outer)
        .on_progress(move |op, progress| {
            told.note(format!(
                "{} {}",
                progress.message,
                op.context().parent_id.unwrap()
            ))
        })
        .run(async |op| {
            let ended = op.child().id("ended").timeout(secs(1)).run(ready);
            let ended = ended.await.unwrap();
            let late = ended.child().run(async |late| {
                late.report_progress("late");
                assert_eq!(late.context().parent_id.as_deref(), Some("ended"));
                // The limit of the one that has ended is none of its own.
                assert_eq!(late.remaining(), Some(secs(60)));
                ended.cancel_with("after its end");
                pending::<()>().await;
            });
            let why = late.await.unwrap_err();
            assert_eq!(*why.origin(), Origin::parent("ended"));
            assert_eq!(why.root_cause().message(), "after its end");
            assert!(!op.is_cancelled());

            // Nor is that of one around it which has ended as well.
            let both = Cancelable::new().timeout(secs(5));
            let both = both.run(async |op| op.child().run(ready).await.unwrap());
            let late = both.await.unwrap().child().run(async |op| op.remaining());
            assert_eq!(late.await.unwrap(), Some(secs(60)));

            let ended = op.child().id("ended").run(ready).await.unwrap();
            outer.cancel_with("all of it");
            let why = ended.child().run(|_| ready(())).await.unwrap_err();
            assert_eq!(*why.origin(), Origin::parent("ended"));
            why.root_cause().message().into_owned()
        })
        .await;
    assert_eq!(outcome.unwrap(), "all of it");
    assert_eq!(reports.take(), ["late ended"]);
}
