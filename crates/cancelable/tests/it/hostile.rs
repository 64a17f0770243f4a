//! Somebody else's code at its worst: values that panic as they are dropped, and panics that panic again.

use std::future::pending;
use std::panic::{AssertUnwindSafe, panic_any};
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable::source::{self, BoxedSource, Source};
use cancelable::{Cancelable, Cancellation, OperationStatus, Reason, Registry};
use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep};

use crate::support::{Handle, Log, OnDrop, heard, poll_once, secs};

/// Panics as it is dropped, unless something panics already.
fn bomb() -> OnDrop<impl FnMut()> {
    OnDrop(|| {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    })
}

/// A panic whose payload panics as well.
fn panic_twice() {
    panic_any(bomb());
}

/// A plan with a bomb in a callback of each kind.
fn mined(log: &Log) -> Cancelable {
    let (start, progress, complete, cancel, error) = (bomb(), bomb(), bomb(), bomb(), bomb());
    heard(log)
        .on_start(move |_| drop(start))
        .on_progress(move |_, _| _ = &progress)
        .on_complete(move |_| drop(complete))
        .on_cancel(move |_| drop(cancel))
        .on_error(move |_| drop(error))
}

#[tokio::test(start_paused = true)]
async fn law_o1_callbacks_that_panic_as_they_are_dropped_change_no_end() {
    let log = Log::default();
    let run = mined(&log).run(async |op| op.report_progress("now"));
    assert_eq!(AssertUnwindSafe(run).catch_unwind().await.unwrap(), Ok(()));
    assert_eq!(log.take(), ["start running", "complete completed"]);

    let run = mined(&log)
        .timeout(secs(1))
        .run(async |_| pending::<()>().await);
    let why = AssertUnwindSafe(run)
        .catch_unwind()
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(why.reason(), Reason::Timeout);
    assert_eq!(log.take(), ["start running", "cancel cancelled"]);

    let run = mined(&log).try_run(async |_| Err::<(), _>(Cancellation::manual("an error")));
    assert!(AssertUnwindSafe(run).catch_unwind().await.unwrap().is_err());
    assert_eq!(log.take(), ["start running", "error failed"]);

    // Cancelled before its start.
    let run = mined(&log).timeout(secs(0)).run(async |_| {});
    assert!(AssertUnwindSafe(run).catch_unwind().await.unwrap().is_err());
    assert_eq!(log.take(), ["cancel cancelled"]);

    // Dropped.
    let mut run = Box::pin(mined(&log).run(async |_| pending::<()>().await));
    assert!(poll_once(run.as_mut()).is_pending());
    assert!(std::panic::catch_unwind(AssertUnwindSafe(|| drop(run))).is_ok());
    assert_eq!(log.take(), ["start running", "cancel cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn law_o1_callbacks_whose_panic_panics_again_change_no_end() {
    let log = Log::default();
    let run = Cancelable::new()
        .on_start(|_| panic_twice())
        .on_progress(|_, _| panic_twice())
        .on_complete(|_| panic_twice())
        .combine(Cancelable::new().on_progress(|_, _| panic_twice()))
        .on_complete({
            let log = log.clone();
            move |context| log.note(context.status.to_string())
        })
        .run(async |op| op.report_progress("now"));
    assert_eq!(AssertUnwindSafe(run).catch_unwind().await.unwrap(), Ok(()));
    assert_eq!(log.take(), ["completed"]);
}

#[tokio::test(start_paused = true)]
async fn law_o7_a_finalizer_whose_panic_panics_again_skips_no_other() {
    let log = Log::default();
    let (handle, first) = (Handle::default(), log.clone());
    let run = heard(&log)
        .finalizer(None, async move |_| first.note("first"))
        .finalizer(None, async |_| panic_twice())
        .finalizer(None, |_| {
            panic_twice();
            async {}
        })
        .finalizer(None, |_| {
            let bomb = bomb();
            async move {
                let _bomb = bomb;
                pending::<()>().await;
            }
        })
        .run(async |op| handle.keep(&op));
    assert_eq!(AssertUnwindSafe(run).catch_unwind().await.unwrap(), Ok(()));
    assert_eq!(log.take(), ["start running", "first", "complete completed"]);
    assert_eq!(handle.there().context().skipped_finalizers, 0);
}

/// A source that panics in one of its methods.
struct Bad(&'static str);

impl Bad {
    fn may_panic(&self, method: &str) {
        assert!(self.0 != method || std::thread::panicking(), "in {method}");
    }
}

impl Future for Bad {
    type Output = Cancellation;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Cancellation> {
        self.may_panic("poll");
        Poll::Pending
    }
}

impl Source for Bad {
    fn begin(self: Pin<&mut Self>, _: Instant) -> Option<Cancellation> {
        self.may_panic("begin");
        None
    }

    fn deadline(&self) -> Option<Instant> {
        self.may_panic("deadline");
        None
    }

    fn name(&self) -> String {
        self.may_panic("name");
        "bad".to_owned()
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.may_panic("drop");
    }
}

#[tokio::test(start_paused = true)]
async fn law_o1_a_source_that_panics_anywhere_leaves_nothing_behind() {
    async fn check(method: &'static str, expected: Result<OperationStatus, ()>) {
        type Nest = fn(Bad) -> BoxedSource;
        let nests: [Nest; 3] = [
            |bad| Source::boxed(bad),
            |bad| Source::boxed(bad.or(source::timeout(secs(9)))),
            |bad| Source::boxed(source::timeout(secs(9)).and(bad)),
        ];
        for nest in nests {
            let (registry, cleaned) = (Registry::new(), Log::default());
            let plan = |id: &str| {
                let cleaned = cleaned.clone();
                Cancelable::new()
                    .id(id)
                    .registered_in(&registry)
                    .finalizer(None, async move |_| cleaned.note("cleaned up"))
                    .source(nest(Bad(method)))
                    .source(nest(Bad(method)))
                    .run(async |_| sleep(secs(5)).await)
            };
            let ended = AssertUnwindSafe(plan("awaited")).catch_unwind().await;
            let status = registry.get("awaited").unwrap().status;
            assert_eq!(ended.map(|_| status).map_err(drop), expected, "{method}");
            assert!(status.is_terminal(), "{method}: {status}");
            assert_eq!(cleaned.take(), ["cleaned up"], "{method}");

            let mut run = Box::pin(plan("dropped"));
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| poll_once(run.as_mut())));
            assert!(std::panic::catch_unwind(AssertUnwindSafe(|| drop(run))).is_ok());
            // The finalizer runs on the runtime meanwhile.
            while !registry.get("dropped").unwrap().status.is_terminal() {
                tokio::task::yield_now().await;
            }
            assert_eq!(cleaned.take(), ["cleaned up"], "{method}");
        }
    }
    for method in ["begin", "poll", "deadline"] {
        check(method, Err(())).await;
    }
    for method in ["name", "drop"] {
        check(method, Ok(OperationStatus::Completed)).await;
    }
}
