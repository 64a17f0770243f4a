//! S3: conditions are asked aside, on time, whatever they do, and not after the end.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;

use cancelable::{Cancelable, CancellationToken, Reason};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::field::{Field, Visit};
use tracing::span;

use crate::support::{Log, poll_once, secs};

#[tokio::test]
async fn law_s3_a_condition_that_blocks_stalls_neither_the_body_nor_the_end() {
    let (release, released) = mpsc::channel::<()>();
    let (asked, mut was_asked) = unbounded_channel();
    let token = CancellationToken::new();
    let outcome = Cancelable::new()
        .token(&token)
        .condition("blocks", secs(1), move || {
            asked.send(thread::current().id()).unwrap();
            released.recv().is_err()
        })
        .run(async |_| {
            // The body runs on while the condition blocks, on another thread.
            let thread = was_asked.recv().await.unwrap();
            assert_ne!(thread, thread::current().id());
            token.cancel_with("no longer wanted");
            pending::<()>().await;
        })
        .await;
    assert_eq!(outcome.unwrap_err().message(), "no longer wanted");
    // It has blocked until here.
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn law_s3_is_asked_at_once_and_an_interval_after_each_answer() {
    // The clock stands still while a check is under way, and moves on by itself only when all wait for it.
    let start = Instant::now();
    let (asked, mut was_asked) = unbounded_channel();
    let outcome = Cancelable::new()
        .condition("at the fourth", secs(7), {
            let mut times = 0;
            move || {
                times += 1;
                asked.send(times).unwrap();
                times == 4
            }
        })
        .run(async |_| {
            for number in 0..4 {
                assert_eq!(was_asked.recv().await, Some(number + 1));
                assert_eq!(start.elapsed(), secs(7) * number);
            }
            pending::<()>().await;
        })
        .await;
    let why = outcome.unwrap_err();
    assert_eq!(why.reason(), Reason::Condition);
    assert_eq!(
        why.message(),
        "condition 'at the fourth' was met after 4 checks"
    );
    assert_eq!(start.elapsed(), secs(21));
}

#[tokio::test(start_paused = true)]
async fn law_s3_one_that_fails_or_panics_is_logged_counted_and_asked_again() {
    let log = Log::default();
    let _here = tracing::subscriber::set_default(Warnings(log.clone()));
    let mut times = 0;
    let outcome = Cancelable::new()
        .condition("fickle", secs(1), move || {
            times += 1;
            match times {
                1 => Err("no such file"),
                2 => Ok(false),
                3 => panic!("fell over"),
                _ => Ok(true),
            }
        })
        .run(async |_| pending::<()>().await)
        .await;
    let said = outcome.unwrap_err().to_string();
    assert_eq!(said, "condition 'fickle' was met after 4 checks");
    let logged = [
        r#"condition="fickle" error="no such file" failures=1 checks=1"#,
        r#"condition="fickle" error="panicked: fell over" failures=2 checks=3"#,
    ];
    assert_eq!(log.take(), logged);
}

#[test]
fn law_s3_is_not_asked_after_the_end() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        // The only thread for checks is taken until the operation has ended.
        let (release, released) = mpsc::channel::<()>();
        let taken = spawn_blocking(move || released.recv().is_err());
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        {
            let plan = Cancelable::new().condition("too late", secs(1), move || {
                count.fetch_add(1, Ordering::SeqCst);
                false
            });
            let mut run = pin!(plan.run(async |_| pending::<()>().await));
            assert!(poll_once(run.as_mut()).is_pending());
        }
        drop(release);
        assert!(taken.await.unwrap());
        // Jobs of one thread come one after the other.
        spawn_blocking(|| ()).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&asked), 1, "what it captured is gone");
    });
}

#[tokio::test(start_paused = true)]
async fn law_s3_no_further_check_after_the_end() {
    let (asked, mut was_asked) = unbounded_channel();
    let value = Cancelable::new()
        .condition("never", secs(1), move || {
            asked.send(()).unwrap();
            false
        })
        .run(async |_| {
            for _ in 0..3 {
                was_asked.recv().await.unwrap();
            }
            was_asked
        })
        .await;
    let mut was_asked = value.unwrap();
    sleep(secs(60)).await;
    // Not asked again, and gone with what it captured.
    assert_eq!(was_asked.recv().await, None);
}

#[test]
fn law_s3_a_body_that_is_ready_asks_nothing() {
    // Here is no runtime to ask with, and none is needed.
    let plan = Cancelable::new().condition("unasked", secs(1), || true);
    let mut run = pin!(plan.run(async |_| "ready"));
    assert!(matches!(poll_once(run.as_mut()), Poll::Ready(Ok("ready"))));
}

#[test]
fn law_s3_an_interval_of_zero_is_refused_by_the_conditions_name() {
    let plan = || Cancelable::new().condition("busy loop", secs(0), || false);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(plan()))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("condition 'busy loop' is zero"), "{text}");
}

/// Notes the fields of each warning.
struct Warnings(Log);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().starts_with("cancelable")
    }
    fn event(&self, event: &tracing::Event<'_>) {
        let mut visitor = Fields(Vec::new());
        event.record(&mut visitor);
        let fields = visitor.0;
        self.0.note(fields.join(" "));
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Fields(Vec<String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() != "message" {
            self.0.push(format!("{}={value:?}", field.name()));
        }
    }
}
