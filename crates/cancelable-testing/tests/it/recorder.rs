//! What the recorder has, and how its assertions fail.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cancelable::{Cancelable, Progress};
use cancelable_testing::Recorder;
use futures_util::FutureExt;

/// What an assertion says as it fails.
fn failure(assert: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assert)).expect_err("it fails");
    panic
        .downcast_ref::<String>()
        .expect("it is formatted")
        .clone()
}

/// One that reports, and one in it that runs out of time.
async fn recorded() -> Recorder {
    let recorder = Recorder::new();
    let outer = recorder.record(Cancelable::new().name("outer").id("7"));
    let outcome = outer.run(async |op| {
        op.report_progress(Progress::new("parsing").step(30, 120));
        let inner = Cancelable::new().id("inner").attempt(2);
        let inner = recorder.record(inner.timeout(Duration::from_secs(1)));
        let inner = inner.run(async |op| {
            op.report_progress("waiting");
            pending::<()>().await;
        });
        assert!(inner.await.is_err());
        op.report_progress(Progress::new("read").count(7));
        op.report_progress(Progress::new("half").fraction_done(0.5));
        op.cancel_with("enough");
        "all the same"
    });
    assert_eq!(outcome.await, Ok("all the same"));
    recorder
}

const LINES: [&str; 10] = [
    "outer started",
    "outer progress: parsing 30/120",
    "inner started",
    "inner progress: waiting",
    "inner asked: timeout: timed out after 1s",
    "inner ended: cancelled",
    "outer progress: read 7",
    "outer progress: half 50%",
    "outer asked: manual: enough",
    "outer ended: completed",
];

#[tokio::test(start_paused = true)]
async fn all_of_it_in_order() {
    let recorder = recorded().await;
    assert_eq!(recorder.lines(), LINES);
    recorder.assert_lines(LINES);
    recorder.assert_in_order(["outer started", "inner asked", "outer ended"]);
    recorder.assert_all_ended();
    assert_eq!(
        (recorder.events().len(), recorder.events_of("inner").len()),
        (10, 4)
    );
    assert_eq!(recorder.events_of("inner")[0].attempt, 2);
    recorder.clone().clear();
    recorder.assert_lines::<&str>([]);
}

#[tokio::test(start_paused = true)]
async fn what_failures_show() {
    let recorder = recorded().await;
    let mut record = "the whole recording:".to_owned();
    for line in LINES {
        let id = if line.starts_with("outer") {
            "7"
        } else {
            "attempt 2"
        };
        record += &format!("\n    {line} ({id})");
    }
    let check = |said: String, expected: &str| assert_eq!(said, format!("{expected}{record}"));

    let said = failure(|| recorder.assert_lines(["outer started", "outer ended"]));
    let note = "<- here the recording has: outer progress: parsing 30/120";
    let expected = format!(
        "the recording is not as expected\nexpected, exactly:\n    outer started\n    {:<40} {note}\n",
        "outer ended"
    );
    check(said, &expected);

    let said = failure(|| recorder.assert_lines(&LINES[..9]));
    assert!(
        said.contains("    (nothing more) <- here the recording has: outer ended: completed\n"),
        "{said}"
    );
    let longer = LINES.iter().chain(&["more"]);
    let said = failure(|| recorder.assert_lines(longer));
    let line = format!("    {:<40} <- here the recording ends\n", "more");
    assert!(said.contains(&line), "{said}");

    let said = failure(|| recorder.assert_in_order(["inner ended", "inner started"]));
    let expected = format!(
        "the recording is not as expected\nexpected, in this order:\n    inner ended\n    {:<40} <- not after the line before it\n",
        "inner started"
    );
    check(said, &expected);
    let said = failure(|| recorder.assert_in_order(["inner failed"]));
    assert!(said.contains("<- not in the recording"), "{said}");
}

#[tokio::test]
async fn one_that_has_not_ended() {
    let recorder = Recorder::new();
    let run = recorder
        .record(Cancelable::new().name("slow"))
        .run(async |_| pending::<()>().await);
    let mut run = Box::pin(run);
    assert!(run.as_mut().now_or_never().is_none());
    let said = failure(|| recorder.assert_all_ended());
    let expected = "expected that all operations have ended; these have not: slow\nthe whole recording:\n    slow started (";
    assert!(said.starts_with(expected), "{said}");
    drop(run);
    recorder.assert_all_ended();
    recorder.assert_lines([
        "slow started",
        "slow asked: dropped: dropped before it ended",
        "slow ended: cancelled",
    ]);
}

#[tokio::test]
async fn why_one_failed() {
    let recorder = Recorder::new();
    let plan = recorder.record(Cancelable::new().name("it"));
    let outcome: Result<(), Box<dyn std::error::Error>> =
        plan.try_run(async |_| Err("no such file".into())).await;
    assert!(outcome.is_err());
    recorder.assert_lines(["it started", "it ended: failed: no such file"]);
}
