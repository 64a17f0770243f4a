//! Sources that do what their test says, and know what was done to them.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cancelable::{Cancelable, Reason, Source};
use cancelable_testing::ScriptedSource;
use futures_util::FutureExt;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// What an operation with this source says, and after how many seconds.
async fn fired(source: ScriptedSource) -> (String, u64) {
    let (start, script) = (Instant::now(), source.script());
    let plan = Cancelable::new().source(source);
    let why = plan
        .run(async |_| pending::<()>().await)
        .await
        .expect_err("it fires");
    assert!(script.has_begun() && script.has_fired() && script.is_dropped());
    assert!(!script.fire(), "it is too late");
    (why.message().into_owned(), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn when_it_is_told() {
    let source = ScriptedSource::on_command().named("a bell");
    let script = source.script();
    let ring = async {
        sleep(SECOND).await;
        assert!((script.polls(), script.has_fired()) == (1, false));
        assert!(script.fire_with("ding"));
        assert!(!script.fire_with("dong"));
    };
    // A task of its own, so that it is polled only if it is woken.
    let (said, ()) = tokio::join!(tokio::spawn(fired(source)), ring);
    assert_eq!(said.unwrap(), ("ding".to_owned(), 1));
    assert_eq!(script.polls(), 2);

    // Before it is polled, and from another thread.
    let source = ScriptedSource::on_command();
    let script = source.script();
    assert!(std::thread::spawn(move || script.fire()).join().unwrap());
    let source = source.with(Reason::Shutdown);
    assert_eq!(fired(source).await, ("shutting down".to_owned(), 0));
}

#[tokio::test(start_paused = true)]
async fn at_its_nth_poll() {
    // It wakes nobody for that.
    let source = ScriptedSource::on_poll(2);
    let (script, plan) = (source.script(), Cancelable::new().source(source));
    let slept = plan.run(async |_| sleep(SECOND).await).await;
    assert_eq!(
        (slept, script.polls(), script.has_fired()),
        (Ok(()), 1, false)
    );
    let source = ScriptedSource::on_poll(3).named("three");
    let (script, plan) = (source.script(), Cancelable::new().source(source));
    let mut awaits = 0;
    let outcome = plan.run(async |_| {
        loop {
            awaits += 1;
            yield_now().await;
        }
    });
    let why: Result<(), _> = outcome.await;
    assert_eq!(why.unwrap_err().message(), "condition 'three' was met");
    assert_eq!((awaits, script.polls()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn at_its_moment() {
    let source = ScriptedSource::after(5 * SECOND).named("noon");
    assert_eq!(source.deadline(), None);
    assert_eq!(
        fired(source).await,
        ("condition 'noon' was met".to_owned(), 5)
    );
    // Its operation knows when.
    let plan = Cancelable::new().source(ScriptedSource::after(5 * SECOND));
    let left = plan.run(async |op| op.remaining()).await.unwrap();
    assert_eq!(left, Some(5 * SECOND));
    // Where nobody tells it of a start, from its first poll.
    let start = Instant::now();
    let why = ScriptedSource::after(SECOND).await;
    assert_eq!((why.reason(), start.elapsed()), (Reason::Condition, SECOND));
    // One too far away to count is none.
    let plan = Cancelable::new().source(ScriptedSource::after(Duration::MAX));
    assert_eq!(plan.run(async |op| op.remaining()).await, Ok(None));
}

#[tokio::test]
async fn as_its_operation_starts() {
    let source = ScriptedSource::at_start().with("closed today");
    let script = source.script();
    let plan = Cancelable::new().source(source);
    let outcome = plan.run(async |_| unreachable!("it never starts")).await;
    assert_eq!(outcome.unwrap_err().message(), "closed today");
    assert_eq!((script.has_begun(), script.polls()), (true, 0));
}

#[tokio::test(start_paused = true)]
async fn never() {
    let source = ScriptedSource::never();
    let script = source.script();
    assert!(!script.fire() && !script.fire_with("now"));
    let plan = Cancelable::new().source(source);
    assert_eq!(plan.run(async |_| sleep(SECOND).await).await, Ok(()));
    assert!(script.polls() > 0 && script.is_dropped() && !script.has_fired());
}

#[tokio::test(start_paused = true)]
async fn it_panics_where_it_would_fire() {
    let sources = [
        ScriptedSource::on_poll(1),
        ScriptedSource::after(SECOND),
        ScriptedSource::at_start(),
    ];
    for source in sources {
        let source = source.panics("fell over");
        let script = source.script();
        let run = Cancelable::new()
            .source(source)
            .run(async |_| pending::<()>().await);
        let panic = AssertUnwindSafe(run)
            .catch_unwind()
            .await
            .expect_err("it fires");
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "fell over");
        assert!(script.has_fired() && script.is_dropped());
    }
}

#[test]
fn a_poll_that_there_is_not() {
    let panic = catch_unwind(|| drop(ScriptedSource::on_poll(0))).unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert_eq!(
        *text,
        "polls are counted from 1; `at_start` fires before the first"
    );
}

#[test]
fn what_it_says_of_itself() {
    let source = ScriptedSource::on_command().named("a bell");
    assert_eq!(source.name(), "scripted source 'a bell'");
    let text = format!("{source:?}");
    assert!(
        text.contains("a bell") && text.contains("polls: 0"),
        "{text}"
    );
}
