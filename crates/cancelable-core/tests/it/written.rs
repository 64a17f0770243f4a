//! What is written as JSON is read back the same, and what cannot be read says why.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cancelable_core::{
    Cancellation, CancellationToken, Cursor, Event, Filter, Heard, OperationContext,
    OperationStatus, Origin, Outcome, Progress, Reason, Registry, Statistics, What,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json, to_value};

use super::registry_support::Fake;
use super::support::on_small_stack;

fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// All that a chain of causes says.
fn said(why: &Cancellation) -> Vec<(Reason, Origin, String, SystemTime)> {
    let mut all = Vec::new();
    let mut next = Some(why.clone());
    while let Some(why) = next {
        all.push((
            why.reason(),
            why.origin().clone(),
            why.message().into_owned(),
            why.at(),
        ));
        next = why.cause();
    }
    all
}

#[test]
fn words() {
    for (reason, word) in [
        (Reason::Timeout, "timeout"),
        (Reason::Manual, "manual"),
        (Reason::Signal, "signal"),
        (Reason::Condition, "condition"),
        (Reason::Parent, "parent"),
        (Reason::Error, "error"),
        (Reason::Disconnected, "disconnected"),
        (Reason::Shutdown, "shutdown"),
        (Reason::Dropped, "dropped"),
    ] {
        assert_eq!(to_value(reason).unwrap(), word);
        assert_eq!(word, reason.as_str());
        assert_eq!(again(&reason), reason);
    }
    for status in [
        OperationStatus::Pending,
        OperationStatus::Running,
        OperationStatus::Cancelling,
        OperationStatus::Completed,
        OperationStatus::Cancelled,
        OperationStatus::Failed,
    ] {
        assert_eq!(to_value(status).unwrap(), status.as_str());
        assert_eq!(again(&status), status);
    }
}

#[test]
fn origins_keep_their_data() {
    for (origin, written) in [
        (Origin::Caller, json!({"kind": "caller"})),
        (
            Origin::timeout(Duration::from_millis(1_500)),
            json!({"kind": "timeout", "after_seconds": 1.5}),
        ),
        (
            Origin::signal(15, "SIGTERM"),
            json!({"kind": "signal", "number": 15, "name": "SIGTERM"}),
        ),
        (
            Origin::condition("disk"),
            json!({"kind": "condition", "name": "disk"}),
        ),
        (
            Origin::parent("outer"),
            json!({"kind": "parent", "id": "outer"}),
        ),
        (Origin::Drop, json!({"kind": "drop"})),
    ] {
        assert_eq!(to_value(&origin).unwrap(), written);
        assert_eq!(again(&origin), origin);
    }
    for after in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        assert_eq!(again(&Origin::timeout(after)), Origin::timeout(after));
    }
    let hundred_days = Duration::new(100 * 86_400, 123_456_789);
    assert_eq!(
        again(&Origin::timeout(hundred_days)),
        Origin::timeout(hundred_days)
    );
}

#[test]
fn a_cancellation_with_its_causes() {
    let disk = Cancellation::new(Reason::Error).with_message("the disk is full");
    let root = Cancellation::from_origin(Origin::condition("space")).with_cause(disk);
    let token = CancellationToken::new();
    let between = token.child_token();
    let below = between.child_token();
    token.cancel_with(root.clone());
    let outer = Cancellation::from_origin(Origin::parent("outer"))
        .with_cause(below.cancellation().unwrap());
    for why in [
        Cancellation::new(Reason::Shutdown),
        Cancellation::manual("enough"),
        Cancellation::from_origin(Origin::signal(2, "SIGINT")).with_message("Ctrl-C"),
        root,
        below.cancellation().unwrap(),
        outer,
    ] {
        let read = again(&why);
        assert_eq!(said(&read), said(&why));
        assert_eq!(format!("{read:#}"), format!("{why:#}"));
        let apart = read.instant().max(why.instant()) - read.instant().min(why.instant());
        assert!(apart < Duration::from_secs(60), "{apart:?}");
    }
    let written = to_value(Cancellation::manual("enough")).unwrap();
    assert_eq!(written["reason"], "manual");
    assert_eq!(written["message"], "enough");
    assert!(written["at"].as_str().unwrap().ends_with('Z'));
    assert!(written.get("causes").is_none());
    let written = to_value(below.cancellation().unwrap()).unwrap();
    assert_eq!(written["generations"], 2);
    let causes = written["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 2);
    assert_eq!(causes[1]["message"], "the disk is full");
}

#[test]
fn a_long_chain_of_causes_needs_no_stack() {
    const CAUSES: usize = 20_000;
    on_small_stack(|| {
        let mut why = Cancellation::manual("the first");
        for _ in 0..CAUSES {
            why = Cancellation::new(Reason::Error).with_cause(why);
        }
        let read = again(&why);
        assert_eq!(read.root_cause().message(), "the first");
        assert_eq!(said(&read).len(), CAUSES + 1);
    });
    let mut token = CancellationToken::new();
    let root = token.clone();
    let mut held = Vec::new();
    for _ in 0..CAUSES {
        token = token.child_token();
        held.push(token.clone());
    }
    root.cancel_with("the root");
    let why = token.cancellation().unwrap();
    let text = serde_json::to_string(&why).unwrap();
    assert!(text.len() < 1_000, "{text}");
    assert_eq!(said(&again(&why)), said(&why));
}

fn full_context() -> OperationContext {
    let mut context = OperationContext::new("a");
    context.attempt = 3;
    context.name = Some("import".to_owned());
    context.status = OperationStatus::Cancelled;
    context.start = SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_789);
    context.end = Some(context.start + Duration::from_millis(2_500));
    context.duration = Duration::from_millis(2_500);
    context.asked_at = Some(context.start + Duration::from_secs(2));
    context.since_asked = Some(Duration::from_millis(500));
    context.cancellation = Some(Cancellation::new(Reason::Shutdown));
    context.error = Some("it broke".to_owned());
    context.progress = Some(Progress::new("half").step(1, 2).with("file", "x"));
    context.items = 7;
    context
        .metadata
        .insert("tenant".to_owned(), json!({"color": ["blue"]}));
    context.parent_id = Some("outer".to_owned());
    context
}

#[test]
fn a_snapshot_with_its_version_and_units() {
    let context = full_context();
    let written = to_value(&context).unwrap();
    assert_eq!(written["version"], 1);
    assert_eq!(written["start"], "2027-01-15T08:00:00.123456789Z");
    assert_eq!(written["end"], "2027-01-15T08:00:02.623456789Z");
    assert_eq!(written["duration_seconds"], 2.5);
    assert_eq!(written["since_asked_seconds"], 0.5);
    assert_eq!(written["cancellation"]["reason"], "shutdown");
    assert_eq!(written["progress"]["current"], 1);
    // All of it, whatever fields there are.
    assert_eq!(to_value(again(&context)).unwrap(), written);
    let read = again(&context);
    assert_eq!((read.start, read.end), (context.start, context.end));
    assert_eq!(
        (read.asked_at, read.since_asked),
        (context.asked_at, context.since_asked)
    );
    let bare = OperationContext::new("b");
    assert_eq!(to_value(again(&bare)).unwrap(), to_value(&bare).unwrap());
}

#[test]
fn what_is_attached_goes_along_and_is_not_written() {
    let registry = Registry::new();
    let work = Fake::new("a");
    let mut end = work.end(OperationStatus::Completed);
    end.attachment = Some(Arc::new("an object of somebody else's"));
    let entry = work.register(&registry);
    entry.ended(end);
    let kept = registry.get("a").unwrap();
    let attachment = kept.attachment.clone().unwrap();
    assert_eq!(
        attachment.downcast_ref(),
        Some(&"an object of somebody else's")
    );
    assert!(again(&kept).attachment.is_none());
    assert!(to_value(&kept).unwrap().get("attachment").is_none());
}

#[test]
fn another_version_is_refused_and_other_fields_are_not() {
    let read = |change: &dyn Fn(&mut Value)| {
        let mut written = to_value(full_context()).unwrap();
        change(&mut written);
        from_value::<OperationContext>(written).map_err(|error| error.to_string())
    };
    let newer = read(&|it| it["version"] = json!(2)).unwrap_err();
    assert!(
        newer.contains("version 2 of an operation's snapshot cannot be read"),
        "{newer}"
    );
    let none = read(&|it| drop(it.as_object_mut().unwrap().remove("version"))).unwrap_err();
    assert!(none.contains("version"), "{none}");
    assert_eq!(read(&|it| it["mood"] = json!("good")).unwrap().id, "a");
    for gone in [
        "name",
        "end",
        "asked_at",
        "since_asked_seconds",
        "error",
        "progress",
        "items",
    ] {
        read(&|it| drop(it.as_object_mut().unwrap().remove(gone))).unwrap();
    }
    for (field, value) in [
        ("duration_seconds", json!(-1)),
        ("since_asked_seconds", json!(-0.5)),
        ("start", json!("yesterday")),
        ("end", json!("2027-01-15 8 o'clock")),
        ("status", json!("tired")),
    ] {
        let error = read(&|it| it[field] = value.clone()).unwrap_err();
        assert!(
            error.contains("give") || error.contains("tired"),
            "{field}: {error}"
        );
    }
}

#[test]
fn a_fraction_that_is_read_lies_between_zero_and_one() {
    for (written, fraction) in [
        (json!(0.25), Some(0.25)),
        (json!(7.5), Some(1.0)),
        (json!(-3), Some(0.0)),
        (json!(null), None),
    ] {
        let read: Progress = from_value(json!({"message": "", "fraction": written})).unwrap();
        assert_eq!(read.fraction(), fraction);
    }
    assert_eq!(from_value::<Progress>(json!({})).unwrap().fraction(), None);
}

#[test]
fn a_time_that_cannot_be_written_is_an_error() {
    for start in [
        SystemTime::UNIX_EPOCH - Duration::from_secs(1),
        SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_800),
    ] {
        let mut context = full_context();
        context.start = start;
        let error = to_value(&context).unwrap_err().to_string();
        assert!(error.contains("clock"), "{error}");
        context = full_context();
        context.end = Some(start);
        assert!(to_value(&context).is_err());
    }
}

#[test]
fn what_a_registry_gives() {
    let registry = Registry::new();
    let mut heard = registry.subscribe(10);
    let work = Fake::with("a", |context| context.name = Some("import".to_owned()));
    let entry = work.register(&registry);
    entry.progressed(&Progress::new("half"));
    let replies = registry.cancel_all(&Filter::new(), "enough");
    let written = to_value(&replies).unwrap();
    assert_eq!(
        written,
        json!([{"id": "a", "attempt": 1, "outcome": "asked"}])
    );
    assert_eq!(again(&replies), replies);
    entry.ended(work.end(OperationStatus::Cancelled));
    drop(registry.register(&Fake::new("b")).unwrap());

    let figures = registry.statistics();
    assert_eq!(again::<Statistics>(&figures), figures);
    let written = to_value(&figures).unwrap();
    assert_eq!(written["reasons"], json!({"manual": 1}));
    assert_eq!(written["durations_by_name"]["import"]["count"], 1);
    assert!(written["durations"]["p99_seconds"].is_number());

    let mut words = Vec::new();
    while let Some(Heard::Event(event)) = heard.try_next() {
        let written = to_value(&*event).unwrap();
        words.push(written["event"].as_str().unwrap().to_owned());
        let read: Event = again(&event);
        assert_eq!(to_value(&read).unwrap(), written);
        if let What::Ended { context, .. } = read.what {
            assert_eq!(written["context"]["version"], 1);
            assert_eq!(context.status, OperationStatus::Cancelled);
        }
    }
    assert_eq!(
        words,
        ["started", "progress", "asked", "ended", "started", "left"]
    );

    let page = registry.history_page(&Filter::new(), None, 1);
    assert_eq!(to_value(again(&page)).unwrap(), to_value(&page).unwrap());
    let tree = registry.tree("a").unwrap();
    assert_eq!(to_value(&tree).unwrap()[0]["depth"], 0);
    again(&tree);
}

#[test]
fn outcomes() {
    for (outcome, written) in [
        (Outcome::Asked, json!({"outcome": "asked"})),
        (Outcome::AlreadyAsked, json!({"outcome": "already_asked"})),
        (Outcome::Unknown, json!({"outcome": "unknown"})),
        (
            Outcome::AlreadyOver(OperationStatus::Completed),
            json!({"outcome": "already_over", "status": "completed"}),
        ),
    ] {
        assert_eq!(to_value(outcome).unwrap(), written);
        assert_eq!(again(&outcome), outcome);
    }
}

#[test]
fn cursors() {
    let registry = Registry::new();
    let works: Vec<_> = (0..3).map(|it| Fake::new(&it.to_string())).collect();
    let _entries: Vec<_> = works.iter().map(|work| work.register(&registry)).collect();
    let cursor = registry.page(&Filter::new(), None, 1).next.unwrap();
    assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
    assert_eq!(again(&cursor), cursor);
    for text in [
        "",
        "x",
        "-1",
        "+1",
        " 1",
        "ffffffffffffffff",
        "10000000000000000",
    ] {
        let error = text.parse::<Cursor>().unwrap_err().to_string();
        assert!(error.contains("invalid cursor"), "{text}");
        assert!(from_value::<Cursor>(json!(text)).is_err());
    }
    // One that is far ahead is the end, in both lists.
    let far: Cursor = "fffffffffffffffe".parse().unwrap();
    assert!(
        registry
            .page(&Filter::new(), Some(far), 1)
            .operations
            .is_empty()
    );
    assert!(
        registry
            .history_page(&Filter::new(), Some(far), 1)
            .next
            .is_none()
    );
}
