//! S1, S2 and S5: sources by themselves and inside others, and what happens to them at an end.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cancelable::source::{self, BoxedSource, Source, all_of, any_of};
use cancelable::{Cancelable, Cancellation, CancellationToken, OperationStatus, Origin, Reason};
use cancelable_testing::ScriptedSource;
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, compute_for, heard, poll_once, secs};

/// Lets it run until something fires, and says what, and after how long.
async fn fired(source: impl Source + 'static) -> (String, Duration) {
    let start = Instant::now();
    let plan = Cancelable::new().source(source);
    let outcome = plan.run(async |_| pending::<()>().await).await;
    let why = outcome.expect_err("it never ends by itself");
    (why.to_string(), start.elapsed())
}

fn after(seconds: u64) -> BoxedSource {
    source::timeout(secs(seconds)).boxed()
}

/// Fires after this long without knowing it before.
fn says(what: &'static str, seconds: u64) -> BoxedSource {
    source::from_future(async move {
        sleep(secs(seconds)).await;
        what
    })
    .boxed()
}

#[tokio::test(start_paused = true)]
async fn law_s1_any_of_fires_with_the_first_and_all_of_with_the_last() {
    async fn check(source: impl Source + 'static, said: &str, after: u64) {
        assert_eq!(fired(source).await, (said.to_owned(), secs(after)));
    }
    check(any_of([says("a", 3), says("b", 2), after(4)]), "b", 2).await;
    check(says("a", 3).or(after(2)), "timed out after 2s", 2).await;
    check(says("a", 3).or(says("b", 3)), "a", 3).await;
    check(
        all_of([says("a", 3), after(5), says("b", 2)]),
        "b, and a, and timed out after 5s",
        5,
    )
    .await;
    check(says("a", 3).and(says("b", 3)), "a, and b", 3).await;
    check(all_of([says("alone", 1)]), "alone", 1).await;
    let either = says("a", 7).or(says("b", 3).and(says("c", 5)));
    check(either, "b, and c", 5).await;
    let both = says("a", 1).and(after(9).or(says("b", 4)));
    check(both, "a, and b", 4).await;
    check(
        any_of::<BoxedSource>([]).or(after(1)),
        "timed out after 1s",
        1,
    )
    .await;
    check(
        all_of::<BoxedSource>([]).or(after(1)),
        "timed out after 1s",
        1,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn law_s1_all_of_has_the_reason_of_the_last_and_keeps_what_fired() {
    let token = CancellationToken::new();
    let (kept, ahead) = (token.clone(), source::token(&token).and(after(5)));
    let plan = Cancelable::new().source(ahead);
    let run = plan.run(async |_| {
        sleep(secs(2)).await;
        kept.cancel_with(Reason::Shutdown);
        sleep(secs(60)).await;
    });
    let why = run.await.unwrap_err();
    assert_eq!(why.message(), "shutting down, and timed out after 5s");
    assert!(matches!(why.origin(), Origin::Timeout { .. }));

    let behind = source::token(&token).and(source::timeout(Duration::ZERO));
    let behind = behind.and(says("the last", 1)).await;
    assert_eq!(behind.reason(), Reason::Manual);
}

#[tokio::test(start_paused = true)]
async fn law_s1_one_that_has_fired_is_never_polled_again() {
    /// Fires in the second poll, and falls over in the third.
    struct Twice(u32);
    impl Future for Twice {
        type Output = Cancellation;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
            self.0 += 1;
            assert!(self.0 <= 2, "polled after it has fired");
            cx.waker().wake_by_ref();
            match self.0 {
                2 => Poll::Ready("twice".into()),
                _ => Poll::Pending,
            }
        }
    }
    impl Source for Twice {}
    let said = "twice, and twice, and a";
    let nested = Twice(0).or(Twice(0)).and(Twice(0)).and(says("a", 3));
    assert_eq!(fired(nested).await, (said.to_owned(), secs(3)));

    let mut once = pin!(source::from_future(async { "once" }));
    assert!(poll_once(once.as_mut()).is_ready());
    assert!(poll_once(once.as_mut()).is_pending());
    let mut any = pin!(any_of([Twice(1)]));
    assert!(poll_once(any.as_mut()).is_ready());
    assert!(poll_once(any.as_mut()).is_pending());
}

#[tokio::test(start_paused = true)]
async fn law_s1_one_that_fired_before_the_start_leaves_the_body_unpolled() {
    async fn check(plan: Cancelable, said: &str) {
        let log = Log::default();
        let run = plan.run(async |_| log.note("polled"));
        assert_eq!(run.await.unwrap_err().to_string(), said);
        assert_eq!(log.take(), [""; 0]);
    }
    let given = |source: BoxedSource| Cancelable::new().source(source);
    let token = CancellationToken::new();
    token.cancel_with("long ago");
    check(given(source::token(&token).boxed()), "long ago").await;
    check(given(after(0)), "timed out after 0ns").await;
    check(
        given(after(0).and(source::token(&token)).or(after(1)).boxed()),
        "timed out after 0ns, and long ago",
    )
    .await;
    let past = source::deadline(Instant::now() - secs(1));
    check(given(past.or(after(9)).boxed()), "timed out after 0ns").await;
    // What had fired already is remembered for the rest of it.
    let rest = source::token(&token).and(after(4));
    assert_eq!(fired(rest).await.0, "long ago, and timed out after 4s");
}

#[tokio::test(start_paused = true)]
async fn law_s2_sources_count_from_the_start_through_a_body_that_computes() {
    let start = Instant::now();
    let plan = Cancelable::new().source(after(9).or(after(5).and(says("from the first poll", 2))));
    let run = plan.run(async |_| {
        compute_for(secs(3));
        pending::<()>().await;
    });
    let said = run.await.unwrap_err().to_string();
    assert_eq!(said, "timed out after 5s, and from the first poll");
    assert_eq!(start.elapsed(), secs(5));
}

#[tokio::test(start_paused = true)]
async fn law_s2_of_several_found_at_once_the_one_that_was_due_first_counts() {
    async fn check(plan: Cancelable, said: &str) {
        let run = plan.run(async |_| {
            compute_for(secs(60));
            pending::<()>().await;
        });
        assert_eq!(run.await.unwrap_err().to_string(), said);
    }
    let limit = |seconds| Cancelable::new().timeout(secs(seconds));
    check(limit(7).source(after(3)), "timed out after 3s").await;
    check(limit(3).source(after(7)), "timed out after 3s").await;
    check(
        limit(9).source(after(7)).source(after(3)),
        "timed out after 3s",
    )
    .await;
    check(
        limit(9).source(after(8).or(after(5).or(after(6)))),
        "timed out after 5s",
    )
    .await;
    let all = "timed out after 3s, and timed out after 6s";
    check(limit(9).source(after(6).and(after(3)).or(after(7))), all).await;
    check(
        limit(5).source(after(6).and(after(3)).or(after(7))),
        "timed out after 5s",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn law_s2_deadlines_are_known_through_the_nesting() {
    async fn check(source: impl Source + 'static, left: Option<u64>) {
        let what = source.name();
        let plan = Cancelable::new().source(source);
        let run = plan.run(async |op| op.remaining());
        assert_eq!(run.await.unwrap(), left.map(secs), "{what}");
    }
    let unknown = || says("some day", 900);
    check(after(5), Some(5)).await;
    check(source::deadline(Instant::now() + secs(5)), Some(5)).await;
    check(source::timeout(Duration::MAX), None).await;
    check(unknown(), None).await;
    check(after(5).or(unknown()).or(after(3)), Some(3)).await;
    check(after(5).and(after(3)), Some(5)).await;
    check(after(5).and(unknown()), None).await;
    check(after(9).or(after(5).and(unknown())), Some(9)).await;
    check(after(9).and(after(5).or(unknown())), Some(9)).await;
    check(any_of::<BoxedSource>([]), None).await;
    check(all_of::<BoxedSource>([]), None).await;

    let limited = Cancelable::new().timeout(secs(7));
    let sooner = limited.source(after(4)).run(async |op| {
        let inner = Cancelable::new().run(async |inner| inner.remaining());
        (op.remaining(), inner.await.unwrap())
    });
    assert_eq!(sooner.await.unwrap(), (Some(secs(4)), Some(secs(4))));
    let later = Cancelable::new().timeout(secs(2)).source(after(4));
    assert_eq!(
        later.run(async |op| op.remaining()).await.unwrap(),
        Some(secs(2))
    );
}

#[tokio::test(start_paused = true)]
async fn law_s2_a_deadline_is_known_once_all_that_did_not_know_theirs_have_fired() {
    let plan = Cancelable::new().source(after(9).and(says("soon", 2)));
    let run = plan.run(async |op| {
        let before = op.remaining();
        sleep(secs(3)).await;
        (before, op.remaining())
    });
    assert_eq!(run.await.unwrap(), (None, Some(secs(6))));
}

#[tokio::test(start_paused = true)]
async fn law_s2_combine_takes_sources() {
    let plan = Cancelable::new().source(after(9));
    let plan = plan.combine(Cancelable::new().source(says("the other's", 3)));
    let outcome = plan.run(async |_| pending::<()>().await).await;
    assert_eq!(outcome.unwrap_err().message(), "the other's");
}

#[tokio::test(start_paused = true)]
async fn law_s5_each_source_names_itself() {
    let token = CancellationToken::new();
    let unasked = source::condition("disk full", secs(1), || false);
    let named = source::from_future(pending::<&str>()).named("the line");
    let plan = Cancelable::new()
        .source(after(5).or(source::token(&token)).and(unasked))
        .source(source::from_future(pending::<Reason>()).or(named))
        .source(source::signal(cancelable::Signal::TERMINATE));
    let shown = format!("{plan:?}");
    for name in [
        "all of (any of (timeout of 5s, token), condition 'disk full')",
        "any of (a future, future 'the line')",
        "signal SIGTERM (15)",
    ] {
        assert!(shown.contains(name), "{shown}");
    }
    let why = |said: &'static str| Cancellation::new(Reason::Disconnected).with_message(said);
    let own = source::from_future(async move { why("the line is dead") });
    assert_eq!(fired(own).await.0, "the line is dead");
}

fn catch_unwind_of<F: Future>(run: F) -> impl Future<Output = std::thread::Result<F::Output>> {
    futures_util::FutureExt::catch_unwind(AssertUnwindSafe(run))
}

/// A source that shows by a count whether it is still there.
fn counted(alive: &Arc<()>) -> BoxedSource {
    let alive = Arc::clone(alive);
    source::from_future(async move {
        let _alive = alive;
        pending::<&str>().await
    })
    .boxed()
}

#[tokio::test(start_paused = true)]
async fn law_o3_sources_are_gone_when_run_returns_or_is_dropped() {
    let alive = Arc::new(());
    let given =
        || Cancelable::new().source(counted(&alive).and(counted(&alive)).or(counted(&alive)));
    let mut done = Box::pin(given().run(async |_| sleep(secs(1)).await));
    assert!(poll_once(done.as_mut()).is_pending());
    assert_eq!(Arc::strong_count(&alive), 4);
    assert!(done.as_mut().await.is_ok());
    assert_eq!(Arc::strong_count(&alive), 1, "the future is kept");

    let mut fired = Box::pin(
        given()
            .source(after(3))
            .run(async |_| pending::<()>().await),
    );
    assert!(fired.as_mut().await.is_err());
    assert_eq!(Arc::strong_count(&alive), 1);

    let mut dropped = Box::pin(given().run(async |_| pending::<()>().await));
    assert!(poll_once(dropped.as_mut()).is_pending());
    drop(dropped);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[tokio::test(start_paused = true)]
async fn law_o3_with_the_first_of_any_the_others_are_gone() {
    let alive = Arc::new(());
    let slow = counted(&alive).or(says("fast", 1)).and(after(9));
    let plan = Cancelable::new().source(slow);
    let run = plan.run(async |_| {
        let before = Arc::strong_count(&alive);
        sleep(secs(2)).await;
        (before, Arc::strong_count(&alive))
    });
    assert_eq!(run.await.unwrap(), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn law_o1_a_source_that_panics_ends_it_failed_and_goes_on() {
    let (log, handle, alive) = (Log::default(), Handle::default(), Arc::new(()));
    let (keep, body) = (handle.clone(), log.clone());
    let panics = source::from_future(async {
        sleep(secs(1)).await;
        let text: Result<&str, _> = "text".parse::<u8>().map(|_| "");
        text.expect("a number")
    });
    let plan = heard(&log).source(after(3).or(panics).or(counted(&alive)));
    let run = plan.run(async move |op| {
        keep.keep(&op);
        let _value = body.note_on_drop("body dropped");
        pending::<()>().await;
    });
    let panic = catch_unwind_of(run).await.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("a number"), "{text}");
    assert_eq!(
        log.take(),
        ["start running", "body dropped", "error failed"]
    );
    assert_eq!(handle.there().status(), OperationStatus::Failed);
    assert_eq!(Arc::strong_count(&alive), 1);

    let cleaned = log.clone();
    let plan = heard(&log).finalizer(None, async move |_| cleaned.note("cleaned up"));
    let run = plan
        .source(ScriptedSource::at_start().panics("fell over"))
        .run(async |_| ());
    assert!(catch_unwind_of(run).await.is_err());
    assert_eq!(log.take(), ["cleaned up", "error failed"]);
}

#[tokio::test]
async fn law_o2_a_body_that_leaves_no_budget_still_has_sources() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let heard = source::from_future(async move { told.recv().await.unwrap_or("nobody tells") });
    let plan = Cancelable::new().source(heard.or(after(60)));
    let run = plan.run(async |_| {
        tell.send("heard").unwrap();
        loop {
            tokio::task::consume_budget().await;
        }
    });
    assert_eq!(run.await.unwrap_err().message(), "heard");
}

#[test]
fn law_s5_a_plain_thread_refuses_a_source_by_its_name() {
    let plan = Cancelable::new().source(after(5).or(after(6)));
    let panic = catch_unwind(AssertUnwindSafe(|| drop(plan.enter_blocking()))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    let said =
        "enter_blocking cannot watch any of (timeout of 5s, timeout of 6s): that needs a runtime";
    assert!(text.contains(said), "{text}");
}

#[test]
fn plans_with_sources_go_to_other_threads() {
    fn is_send<T: Send>(_: &T) {}
    let plan = Cancelable::new().source(after(5));
    is_send(&plan);
    is_send(&plan.run(async |_| ()));
}
