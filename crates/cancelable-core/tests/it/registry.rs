//! Coming and going, asking by id, cancelling, and what becomes of that.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use cancelable_core::{
    Filter, LiveOperation, OperationStatus, Outcome, Reason, Registry, Statistics,
};

use super::registry_support::{Fake, ids};

use OperationStatus::{Cancelled, Cancelling, Completed, Failed, Pending, Running};

#[track_caller]
fn assert_adds_up(figures: &Statistics) {
    assert_eq!(
        figures.started,
        figures.active.total() + figures.ended.total(),
        "{figures:?}"
    );
}

#[test]
fn listed_while_it_runs_and_in_the_history_after() {
    let registry = Registry::new();
    let work = Fake::with("a", |context| context.name = Some("import".to_owned()));
    let entry = work.register(&registry);
    assert_eq!(registry.get("a").unwrap().status, Running);
    assert_eq!(ids(&registry.list(&Filter::new())), ["a"]);
    assert!(registry.history(&Filter::new()).is_empty());

    assert!(entry.ended(work.end(Completed)));
    assert_eq!(registry.get("a").unwrap().status, Completed);
    assert!(registry.list(&Filter::new()).is_empty());
    assert_eq!(ids(&registry.history(&Filter::new())), ["a"]);

    // There is one end only.
    assert!(!entry.ended(work.end(Failed)));
    drop(entry);
    assert_eq!(registry.get("a").unwrap().status, Completed);
    assert_eq!(registry.history(&Filter::new()).len(), 1);
    let figures = registry.statistics();
    assert_eq!((figures.ended.completed, figures.ended.total()), (1, 1));
}

#[test]
fn an_entry_that_is_dropped_leaves_and_keeps_nobody() {
    let registry = Registry::new();
    let work = Fake::new("a");
    let was_dropped = Arc::clone(&work.was_dropped);
    let entry = registry.register(&work).unwrap();
    drop(work);
    assert!(was_dropped.load(Ordering::SeqCst), "the registry keeps it");
    assert!(registry.get("a").is_none());
    assert!(registry.list(&Filter::new()).is_empty());
    assert_eq!(registry.cancel("a", "late"), Outcome::Unknown);
    drop(entry);
    let figures = registry.statistics();
    assert_eq!(figures.ended.untold, 1);
    assert_eq!(figures.history, 0);
    assert_adds_up(&figures);
    // The id is free again.
    drop(registry.register(&Fake::new("a")).unwrap());
}

#[test]
fn a_snapshot_that_is_not_terminal_is_no_end() {
    let registry = Registry::new();
    let work = Fake::new("a");
    let entry = work.register(&registry);
    assert!(!entry.ended(work.context()));
    assert!(registry.get("a").is_none());
    assert_eq!(registry.statistics().ended.untold, 1);
    assert!(!entry.ended(work.end(Completed)));
    assert_adds_up(&registry.statistics());
}

#[test]
fn law_r2_counts_go_with_what_is_told() {
    let registry = Registry::new();
    let work = Fake::with("a", |context| context.status = Pending);
    let entry = work.register(&registry);
    assert_eq!(registry.statistics().active.pending, 1);
    work.context.lock().status = Running;
    entry.started();
    let active = registry.statistics().active;
    assert_eq!((active.pending, active.running), (0, 1));
    registry.cancel("a", Reason::Shutdown);
    let active = registry.statistics().active;
    assert_eq!((active.running, active.cancelling), (0, 1));
    // It does not go back.
    entry.started();
    assert_eq!(registry.statistics().active.cancelling, 1);
    entry.ended(work.end(Cancelled));
    let figures = registry.statistics();
    assert_eq!((figures.active.total(), figures.ended.cancelled), (0, 1));
    assert_eq!(figures.reasons[&Reason::Shutdown], 1);
    assert_adds_up(&figures);
}

#[test]
fn law_r4_a_second_operation_with_a_live_id_is_refused() {
    let registry = Registry::new();
    let first = Fake::with("a", |context| context.attempt = 3);
    let entry = first.register(&registry);
    let error = registry.register(&Fake::new("a")).unwrap_err();
    assert_eq!((error.id(), error.attempt()), ("a", 3));
    assert_eq!(
        error.to_string(),
        "an operation with id \"a\" is live (attempt 3); wait until it has ended, or give another id"
    );
    // The first is as it was.
    assert_eq!(registry.get("a").unwrap().attempt, 3);
    let figures = registry.statistics();
    assert_eq!((figures.started, figures.active.running), (1, 1));

    entry.ended(first.end(Failed));
    let second = Fake::with("a", |context| context.attempt = 4);
    let _entry = second.register(&registry);
    // The live one is what is known by the id now.
    assert_eq!(registry.get("a").unwrap().attempt, 4);
    assert_eq!(registry.history(&Filter::new())[0].attempt, 3);
}

#[test]
fn law_r4_each_cancel_is_answered() {
    let registry = Registry::new();
    assert_eq!(registry.cancel("a", "x"), Outcome::Unknown);
    let work = Fake::new("a");
    let entry = work.register(&registry);
    assert_eq!(registry.cancel("a", "enough"), Outcome::Asked);
    assert_eq!(work.token.cancellation().unwrap().message(), "enough");
    assert_eq!(registry.get("a").unwrap().status, Cancelling);
    assert_eq!(registry.cancel("a", "again"), Outcome::AlreadyAsked);
    // Finished anyway, and not out of the registry yet.
    let end = work.end(Completed);
    assert_eq!(registry.cancel("a", "x"), Outcome::AlreadyOver(Completed));
    entry.ended(end);
    assert_eq!(registry.cancel("a", "x"), Outcome::AlreadyOver(Completed));
    assert_eq!(work.token.cancellation().unwrap().message(), "enough");
    registry.set_history_limit(0);
    assert_eq!(registry.cancel("a", "x"), Outcome::Unknown);
}

#[test]
fn law_r4_a_late_cancel_does_not_reach_the_next_attempt() {
    let registry = Registry::new();
    let attempt = |attempt| Fake::with("a", |context| context.attempt = attempt);
    for (number, end) in [(1, Failed), (2, Completed)] {
        let work = attempt(number);
        work.register(&registry).ended(work.end(end));
    }
    let third = attempt(3);
    let _entry = third.register(&registry);
    let cancel = |attempt| registry.cancel_attempt("a", attempt, "x");
    assert_eq!(cancel(1), Outcome::AlreadyOver(Failed));
    assert_eq!(cancel(2), Outcome::AlreadyOver(Completed));
    assert_eq!(cancel(4), Outcome::Unknown);
    assert!(!third.token.is_cancelled());
    assert_eq!(cancel(3), Outcome::Asked);
    assert!(third.token.is_cancelled());
}

#[test]
fn cancelling_all_asks_those_that_are_meant() {
    let registry = Registry::new();
    let named =
        |id: &str, name: &str| Fake::with(id, |context| context.name = Some(name.to_owned()));
    let works = [
        named("a", "import-1"),
        named("b", "export-1"),
        named("c", "import-2"),
        named("d", "import-3"),
    ];
    let _entries = works.each_ref().map(|work| work.register(&registry));
    works[2].token.cancel();
    works[3].end(Failed);
    let imports = Filter::new().name("import-*").unwrap();
    assert_eq!(ids(&registry.preview(&imports)), ["a", "c", "d"]);
    assert!(!works[0].token.is_cancelled());

    let answers = registry.cancel_all(&imports, Reason::Shutdown);
    let answers: Vec<_> = answers.iter().map(|it| (&*it.id, it.outcome)).collect();
    assert_eq!(
        answers,
        [
            ("a", Outcome::Asked),
            ("c", Outcome::AlreadyAsked),
            ("d", Outcome::AlreadyOver(Failed)),
        ]
    );
    let why = works[0].token.cancellation().unwrap();
    assert_eq!(why.reason(), Reason::Shutdown);
    assert!(!works[1].token.is_cancelled());
    let left = registry.cancel_all(&Filter::new(), "all");
    assert_eq!(left.len(), 4);
    assert!(works[1].token.is_cancelled());
}

#[test]
fn law_r1_no_lock_is_held_while_operations_are_asked() {
    let registry = Registry::new();
    let work = Fake::new("a");
    let entry = work.register(&registry);
    // Whatever is called by the registry, another thread may use all of it meanwhile.
    let use_it_elsewhere = {
        let registry = registry.clone();
        move || {
            let registry = registry.clone();
            let elsewhere = move || {
                let other = Fake::new("b");
                let entry = other.register(&registry);
                assert_eq!(registry.cancel("b", "x"), Outcome::Asked);
                entry.ended(other.end(Completed));
                registry.count(&Filter::new());
                registry.statistics();
                registry.history(&Filter::new());
            };
            thread::spawn(elsewhere).join().unwrap();
        }
    };
    let uses = use_it_elsewhere.clone();
    *work.on_context.lock() = Some(Box::new(uses));
    registry.get("a").unwrap();
    let uses = use_it_elsewhere.clone();
    let meant = Filter::new().matching(move |_| {
        uses();
        true
    });
    for list in [registry.list(&meant), registry.preview(&meant)] {
        assert_eq!(ids(&list), ["a"]);
    }
    registry.page(&meant, None, 1);
    registry.tree("a").unwrap();
    work.token.on_cancel(move |_| use_it_elsewhere()).detach();
    assert_eq!(registry.cancel_all(&meant, "x").len(), 1);
    entry.ended(work.end(Cancelled));
    registry.history(&meant);
}

#[test]
fn law_r1_a_callback_may_list_the_registry_that_cancels_it() {
    let registry = Registry::new();
    let work = Fake::new("a");
    let _entry = work.register(&registry);
    let seen = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let (listing, sees) = (registry.clone(), Arc::clone(&seen));
    let list = move |_: &_| {
        let list = listing.list(&Filter::new());
        assert_eq!(listing.cancel("a", "inside"), Outcome::AlreadyAsked);
        sees.lock()
            .extend(list.iter().map(|context| context.status));
    };
    work.token.on_cancel(list).detach();
    registry.cancel("a", "x");
    assert_eq!(*seen.lock(), [Cancelling]);
}

#[test]
fn the_one_of_the_process_is_one() {
    let id = "the_one_of_the_process_is_one";
    let work = Fake::new(id);
    let entry = work.register(Registry::global());
    assert_eq!(Registry::global().clone().cancel(id, "x"), Outcome::Asked);
    drop(entry);
    assert!(Registry::global().get(id).is_none());
}
