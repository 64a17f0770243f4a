//! S2 and S5: several sources on one operation, and what it says of the one that fired.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cancelable::{Cancelable, CancellationToken, Operation, OperationContext, Progress, Reason};
use tokio::time::{Instant, sleep};

use crate::support::{Log, compute_for, poll_once, secs};

/// Lets it run until something fires, and says what, and after how long.
async fn fired(plan: Cancelable) -> (String, Duration) {
    let start = Instant::now();
    let outcome = plan.run(async |_| pending::<()>().await).await;
    let why = outcome.expect_err("it never ends by itself");
    (why.to_string(), start.elapsed())
}

fn limit(seconds: u64) -> Cancelable {
    Cancelable::new().timeout(secs(seconds))
}

#[tokio::test(start_paused = true)]
async fn law_s2_of_several_limits_the_earliest_counts() {
    async fn check(plan: Cancelable, after: u64) {
        let what = format!("{plan:?}");
        let expected = (format!("timed out after {after}s"), secs(after));
        assert_eq!(fired(plan).await, expected, "{what}");
    }
    check(limit(2).timeout(secs(5)), 2).await;
    check(limit(5).timeout(secs(2)), 2).await;
    check(limit(2).combine(limit(5)), 2).await;
    check(limit(5).combine(limit(2)), 2).await;
    check(limit(7).combine(limit(5).combine(limit(3))), 3).await;
    check(limit(7).combine(limit(3)).combine(limit(5)), 3).await;
    check(Cancelable::new().combine(limit(4)), 4).await;
    check(limit(4).combine(Cancelable::new()), 4).await;
    check(limit(4).timeout(Duration::MAX), 4).await;
    let at = |seconds| Cancelable::new().deadline(Instant::now() + secs(seconds));
    check(at(2).combine(limit(5)), 2).await;
    check(at(5).combine(limit(2)), 2).await;
    check(limit(5).combine(at(2)), 2).await;
    check(at(5).combine(at(2)), 2).await;
    check(at(2).deadline(Instant::now() + secs(3)), 2).await;
}

#[tokio::test(start_paused = true)]
async fn law_s2_a_timeout_counts_from_the_start_and_a_deadline_stands() {
    let (timeout, deadline) = (
        limit(5),
        Cancelable::new().deadline(Instant::now() + secs(5)),
    );
    let mut timeout = pin!(timeout.run(async |op| op.remaining()));
    let mut deadline = pin!(deadline.run(async |op| op.remaining()));
    compute_for(secs(3));
    assert_eq!(timeout.as_mut().await.unwrap(), Some(secs(5)));
    assert_eq!(deadline.as_mut().await.unwrap(), Some(secs(2)));
}

#[tokio::test(start_paused = true)]
async fn law_s2_remaining_is_the_least_of_all_around() {
    let outcome = limit(10).run(async |outer| {
        sleep(secs(4)).await;
        assert_eq!(outer.remaining(), Some(secs(6)));
        let inner = limit(8).run(async |op| (op.remaining(), op.deadline()));
        let (remaining, deadline) = inner.await.unwrap();
        assert_eq!((remaining, deadline), (Some(secs(6)), outer.deadline()));
        let inner = limit(3).run(async |op| op.remaining());
        assert_eq!(inner.await.unwrap(), Some(secs(3)));
        let detached = Cancelable::new().detached();
        let detached = detached.run(async |op| op.remaining());
        assert_eq!(detached.await.unwrap(), None);
    });
    outcome.await.unwrap();
    // A token whose deadline is at the end of time, seen from a clock that a test has moved on.
    let token = CancellationToken::new();
    let now = std::time::Instant::now();
    let (mut fits, mut is_too_long) = (0, u64::MAX);
    while fits + 1 < is_too_long {
        let middle = fits + (is_too_long - fits) / 2;
        match now.checked_add(secs(middle)) {
            Some(_) => fits = middle,
            None => is_too_long = middle,
        }
    }
    token.cancel_after(secs(fits - 3));
    assert!(token.deadline().is_some());
    compute_for(secs(9));
    let linked = Cancelable::new().token(&token);
    let left = linked.run(async |op| op.remaining()).await.unwrap();
    assert!(left.is_none_or(|left| left > secs(1 << 20)));
}

#[tokio::test(start_paused = true)]
async fn law_s2_combine_takes_tokens_and_conditions() {
    let token = CancellationToken::new();
    token.cancel_with("the token");
    let plan = limit(5).combine(Cancelable::new().token(&token));
    assert_eq!(fired(plan).await.0, "the token");
    let met = || Cancelable::new().condition("met", secs(1), || true);
    let said = "condition 'met' was met after 1 checks";
    assert_eq!(fired(met().combine(Cancelable::new())).await.0, said);
    assert_eq!(fired(Cancelable::new().combine(met())).await.0, said);
    let chained = Cancelable::new().combine(limit(900).combine(met()));
    assert_eq!(fired(chained).await.0, said);
}

#[tokio::test]
async fn law_s2_combine_takes_progress_callbacks_once_and_no_others() {
    let log = Log::default();
    let plan = |name: &'static str| {
        let (progress, end) = (log.clone(), log.clone());
        Cancelable::new()
            .name(name)
            .on_progress(move |_, report| progress.note(format!("{name}: {}", report.message)))
            .on_complete(move |_: &OperationContext| end.note(format!("{name} ended")))
    };
    let combined = plan("one").combine(plan("two").combine(plan("three")));
    let name = combined.run(async |op| {
        op.report_progress("half");
        op.name().unwrap().to_owned()
    });
    assert_eq!(name.await.unwrap(), "one");
    assert_eq!(
        log.take(),
        ["one: half", "two: half", "three: half", "one ended"]
    );
}

#[tokio::test(start_paused = true)]
async fn law_s5_the_message_names_what_fired() {
    assert_eq!(fired(limit(3)).await.0, "timed out after 3s");
    assert_eq!(fired(limit(0)).await.0, "timed out after 0ns");
    let named = CancellationToken::new();
    named.cancel_with(Reason::Shutdown);
    let plan = limit(3).token(&named);
    assert_eq!(fired(plan).await.0, "shutting down");
    let asked = AtomicU32::new(0);
    let plan = Cancelable::new().condition("the disk is full", secs(1), move || {
        asked.fetch_add(1, Ordering::SeqCst) == 2
    });
    let (said, _) = fired(plan).await;
    assert_eq!(said, "condition 'the disk is full' was met after 3 checks");
}

#[tokio::test]
async fn law_o10_progress_goes_from_the_inside_out_with_the_reporters_id() {
    let log = Log::default();
    let hears = |plan: Cancelable, who: &'static str| {
        let log = log.clone();
        plan.on_progress(move |op, report: &Progress| {
            log.note(format!("{who} heard {} of {}", report.message, op.id()));
        })
    };
    let outer = hears(hears(Cancelable::new().id("outer"), "outer 1"), "outer 2");
    let outcome = outer.run(async |outer| {
        let inner = hears(Cancelable::new().id("inner"), "inner");
        let inner = inner.on_progress(|_, _| panic!("a callback fell over"));
        let inner = hears(inner, "inner 2").run(async |op| {
            let late = log.clone();
            op.on_progress(move |_, _| late.note("inner late"));
            op.report_progress("a");
            assert_eq!(op.context().progress.unwrap().message, "a");
        });
        inner.await.unwrap();
        outer.report_progress(Progress::new("b").step(1, 2));
        let heard = [
            "inner heard a of inner",
            "inner 2 heard a of inner",
            "inner late",
            "outer 1 heard a of inner",
            "outer 2 heard a of inner",
            "outer 1 heard b of outer",
            "outer 2 heard b of outer",
        ];
        assert_eq!(log.take(), heard);
        let detached = Cancelable::new().detached();
        let detached = detached.run(async |op| op.report_progress("c"));
        detached.await.unwrap();
        assert_eq!(log.take(), [""; 0]);
    });
    outcome.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_tells_rate_and_time_left_by_the_operations_own_reports() {
    let known = |op: &Operation| (op.context().rate, op.context().time_left);
    let outcome = Cancelable::new().run(async |op| {
        assert_eq!(known(&op), (None, None));
        sleep(secs(10)).await;
        op.report_progress(Progress::new("parsing").step(20, 100));
        assert_eq!(known(&op), (Some(2.0), Some(secs(40))));
        sleep(secs(15)).await;
        let inner = Cancelable::new().run(async |inner| {
            inner.report_progress(Progress::new("inside").step(5, 10));
        });
        inner.await.unwrap();
        op.report_progress("still parsing");
        assert_eq!(known(&op), (Some(2.0), Some(secs(25))));
        op
    });
    let op = outcome.await.unwrap();
    assert_eq!(known(&op), (Some(2.0), None));
}

#[tokio::test]
async fn law_o10_a_callback_may_do_anything_to_its_operation() {
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let plan = Cancelable::new().on_progress(move |op, report| {
        let mut seen = count.lock().unwrap();
        *seen += 1;
        drop(seen);
        op.context();
        if report.message == "first" {
            op.on_progress(|_, _| {});
            op.report_progress("from a callback");
            op.cancel();
        }
    });
    let mut run = pin!(plan.run(async |op| {
        op.report_progress("first");
        pending::<()>().await;
    }));
    assert!(poll_once(run.as_mut()).is_ready());
    assert_eq!(*seen.lock().unwrap(), 2);
}
