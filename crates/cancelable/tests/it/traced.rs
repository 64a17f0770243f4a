//! What a subscriber of `tracing` sees, and that there is nothing to see without one.

use std::fmt::Debug;
use std::future::pending;
use std::sync::{Arc, Mutex};

use cancelable::{Cancelable, CancellationToken, Operation, Progress};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::support::{Log, secs};

/// Notes spans and events as lines.
struct Noting(Log);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Noting {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context
            .span(id)
            .and_then(|span| Some(span.parent()?.name()));
        let mut line = format!("new {} in {parent:?}", attributes.metadata().name());
        attributes.record(&mut Fields(&mut line));
        self.0.note(line);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut line = "record".to_owned();
        values.record(&mut Fields(&mut line));
        self.0.note(line);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let depth = context.event_scope(event).map_or(0, Iterator::count);
        let mut line = format!("{} at {depth}:", event.metadata().level());
        event.record(&mut Fields(&mut line));
        self.0.note(line);
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.0.note("close");
    }
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !field.name().starts_with("seconds") {
            self.0.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_span_for_each_operation_with_what_happens_to_it() {
    let log = Log::default();
    let _subscribed =
        tracing::subscriber::set_default(Registry::default().with(Noting(log.clone())));
    let outcome = Cancelable::new()
        .name("outer")
        .id("1")
        .run(async |_| {
            let inner = Cancelable::new().id("2").timeout(secs(1)).run(async |op| {
                op.report_progress(Progress::new("half way").step(1, 2));
                tracing::info!("in the body");
                let task = op.spawn(async { tracing::info!("in a task") });
                let thread = op.spawn_blocking(|| Operation::current().is_some());
                assert_eq!((task.await, thread.await), (Ok(()), Ok(true)));
                pending::<()>().await;
            });
            inner.await
        })
        .await;
    assert!(outcome.unwrap().is_err());
    tracing::info!("after it");
    let expected = [
        r#"new operation in None id="1" name="outer""#,
        "INFO at 1: message=operation started",
        r#"new operation in Some("operation") id="2" parent="1""#,
        "INFO at 2: message=operation started",
        "DEBUG at 2: message=operation progressed progress=half way fraction=0.5",
        "INFO at 2: message=in the body",
        "INFO at 2: message=in a task",
        r#"record reason="timeout""#,
        r#"INFO at 2: message=operation asked to stop reason="timeout" why=timed out after 1s"#,
        r#"INFO at 2: message=operation ended status="cancelled""#,
        "close",
        r#"INFO at 1: message=operation ended status="completed""#,
        "close",
        "INFO at 0: message=after it",
    ];
    assert_eq!(log.take(), expected);
}

#[cfg(feature = "backon")]
#[tokio::test(start_paused = true)]
async fn attempts_are_spans_that_are_told_apart_and_failures_are_events() {
    let log = Log::default();
    let _subscribed =
        tracing::subscriber::set_default(Registry::default().with(Noting(log.clone())));
    let outcome = Cancelable::new()
        .id("1")
        .run(async |op| {
            let attempts = async |attempt: Operation| {
                (attempt.attempt() == 2)
                    .then_some(())
                    .ok_or(std::fmt::Error)
            };
            op.retry([secs(1)].into_iter(), attempts).run().await
        })
        .await;
    assert!(outcome.unwrap().is_ok());
    let is_telling = |line: &String| line.contains("attempt");
    let told: Vec<_> = log
        .take()
        .into_iter()
        .filter(is_telling)
        .map(|line| match line.split_once(" id=") {
            // A random one.
            Some((new, fields)) => format!("{new} {}", &fields[39..]),
            None => line,
        })
        .collect();
    let expected = [
        r#"new operation in Some("operation") attempt=1 parent="1""#,
        r#"WARN at 1: message=an attempt failed, and there will be another operation="1" attempt=1 error=an error occurred when formatting an argument delay=1s"#,
        "DEBUG at 1: message=operation progressed progress=attempt 1 failed, the next begins in 1s",
        r#"new operation in Some("operation") attempt=2 parent="1""#,
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_may_do_anything_to_the_operation_it_hears_of() {
    struct Curious;
    impl<S: Subscriber> Layer<S> for Curious {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            if let Some(op) = Operation::current() {
                let context = op.context();
                assert_eq!(context.id, "1");
                op.cancel();
            }
        }
    }
    let _subscribed = tracing::subscriber::set_default(Registry::default().with(Curious));
    let token = CancellationToken::new();
    let outcome = Cancelable::new()
        .id("1")
        .token(&token)
        .run(async |op| {
            op.report_progress("now");
            pending::<()>().await;
        })
        .await;
    assert!(outcome.is_err());
}

#[test]
fn a_subscriber_may_ask_an_operation_that_finished_although_it_was_asked_to_stop() {
    struct Asking(Arc<Mutex<Option<Operation>>>);
    impl<S: Subscriber> Layer<S> for Asking {
        fn on_record(&self, _: &Id, _: &Record<'_>, _: Context<'_, S>) {
            let operation = self.0.lock().unwrap().clone().expect("it has begun");
            assert!(operation.context().cancellation.is_some());
        }
    }
    // On a thread of its own: what is wrong here hangs.
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let heard_of = Arc::new(Mutex::new(None));
        let asking = Registry::default().with(Asking(Arc::clone(&heard_of)));
        let _subscribed = tracing::subscriber::set_default(asking);
        let runtime = tokio::runtime::Builder::new_current_thread();
        let outcome = { runtime }
            .build()
            .unwrap()
            .block_on(Cancelable::new().run(async |op| {
                op.token().cancel();
                *heard_of.lock().unwrap() = Some(op);
                "finished anyway"
            }));
        tell.send(outcome).unwrap();
    });
    let outcome = told.recv_timeout(secs(20)).expect("it does not hang");
    assert_eq!(outcome, Ok("finished anyway"));
}
