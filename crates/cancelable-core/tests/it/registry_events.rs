//! Subscriptions: what is heard, what is lost, who is slowed down (nobody).

use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use cancelable_core::{
    Cancellation, Event, Heard, OperationStatus, Progress, Reason, Registry, Subscription, What,
};

use parking_lot::Mutex;

use super::registry_support::Fake;
use super::support::{Counter, by_profile, poll_with, waker_fn};

use OperationStatus::{Cancelled, Completed};

fn event(heard: Option<Heard>) -> Arc<Event> {
    match heard {
        Some(Heard::Event(event)) => event,
        other => panic!("no event: {other:?}"),
    }
}

fn lost(heard: Option<Heard>) -> u64 {
    match heard {
        Some(Heard::Lagged(lost)) => lost,
        other => panic!("nothing was lost: {other:?}"),
    }
}

#[test]
fn an_operation_is_heard_from_its_start_to_its_end() {
    let registry = Registry::new();
    let mut heard = registry.subscribe(100);
    let work = Fake::with("a", |context| {
        context.name = Some("import".to_owned());
        context.attempt = 2;
        context.parent_id = Some("outer".to_owned());
    });
    let entry = work.register(&registry);
    entry.progressed(&Progress::new("half").step(1, 2));
    registry.cancel("a", Reason::Shutdown);
    registry.cancel("a", Reason::Manual);
    entry.ended(work.end(Cancelled));
    entry.ended(work.end(Completed));
    drop(entry);

    let mut next = || {
        let event = event(heard.try_next());
        assert_eq!((&*event.id, event.attempt), ("a", 2));
        assert_eq!(event.name.as_deref(), Some("import"));
        event.what.clone()
    };
    assert!(
        matches!(next(), What::Started { parent_id, .. } if parent_id.as_deref() == Some("outer"))
    );
    assert!(matches!(next(), What::Progress { progress, .. } if progress.message == "half"));
    assert!(
        matches!(next(), What::Asked { cancellation, .. } if cancellation.reason() == Reason::Shutdown)
    );
    assert!(matches!(next(), What::Ended { context, .. } if context.status == Cancelled));
    assert!(heard.try_next().is_none());

    let leaves = Fake::new("b");
    drop(leaves.register(&registry));
    assert!(matches!(event(heard.try_next()).what, What::Started { .. }));
    assert!(matches!(event(heard.try_next()).what, What::Left));
}

#[test]
fn an_entry_knows_whether_anybody_listens() {
    let registry = Registry::new();
    let entry = Fake::new("a").register(&registry);
    assert!(!entry.is_heard());
    let heard = registry.subscribe(1);
    assert!(entry.is_heard());
    drop(heard);
    assert!(!entry.is_heard());
}

#[test]
fn an_ask_that_was_not_told_is_heard_before_the_end() {
    let registry = Registry::new();
    let work = Fake::new("a");
    let entry = registry.register(&work).unwrap();
    let mut heard = registry.subscribe(100);
    work.token.cancel_with("not told");
    entry.ended(work.end(Cancelled));
    assert!(matches!(event(heard.try_next()).what, What::Asked { .. }));
    assert!(matches!(event(heard.try_next()).what, What::Ended { .. }));
}

#[test]
fn the_end_is_the_last_that_is_told() {
    let registry = Registry::new();
    let mut heard = registry.subscribe(100);
    let work = Fake::new("a");
    let entry = registry.register(&work).unwrap();
    assert!(entry.ended(work.end(Completed)));
    entry.progressed(&Progress::new("too late"));
    entry.asked(&Cancellation::new(Reason::Shutdown));
    entry.started();
    drop(entry);
    assert!(matches!(event(heard.try_next()).what, What::Started { .. }));
    assert!(matches!(event(heard.try_next()).what, What::Ended { .. }));
    assert!(heard.try_next().is_none());
}

#[test]
fn who_is_slow_loses_the_oldest_and_hears_how_many() {
    let registry = Registry::new();
    let (mut slow, mut quick) = (registry.subscribe(3), registry.subscribe(100));
    let work = Fake::new("a");
    let entry = work.register(&registry);
    for number in 0..10 {
        entry.progressed(&Progress::default().count(number));
    }
    let count = |event: Arc<Event>| match &event.what {
        What::Progress { progress, .. } => progress.current,
        other => panic!("no progress: {other:?}"),
    };
    // The start is lost too.
    assert_eq!(lost(slow.try_next()), 8);
    for number in 7..10 {
        assert_eq!(count(event(slow.try_next())), Some(number));
    }
    assert!(slow.try_next().is_none());
    entry.progressed(&Progress::default().count(10));
    assert_eq!(count(event(slow.try_next())), Some(10));

    event(quick.try_next());
    for number in 0..11 {
        assert_eq!(count(event(quick.try_next())), Some(number));
    }
}

#[test]
fn events_that_nobody_reads_leave_nothing() {
    let registry = Registry::new();
    let work = Fake::new("a");
    let entry = work.register(&registry);
    let progress = Progress::new("so far").step(1, 2);
    let report = |rounds| (0..rounds).for_each(|_| entry.progressed(&progress));
    let used = measure(|| report(by_profile(1_000_000, 100_000)));
    assert_eq!(used.count_total, 0, "nobody listens: {used:?}");

    let unread = registry.subscribe(16);
    report(100);
    let used = measure(|| report(by_profile(1_000_000, 100_000)));
    assert_eq!(used.bytes_current, 0, "{used:?}");
    assert!(used.bytes_max < 4_096, "{used:?}");
    let used = measure(|| drop(unread));
    assert!(used.bytes_current < 0, "{used:?}");

    let used = measure(|| {
        for _ in 0..by_profile(100_000, 10_000) {
            drop(registry.subscribe(usize::MAX));
        }
    });
    assert!(used.bytes_current <= 0, "{used:?}");
}

#[test]
fn a_future_is_woken_and_may_be_dropped() {
    let registry = Registry::new();
    let mut heard = registry.subscribe(10);
    let counter = Counter::new();
    assert!(poll_with(&mut heard.next(), &counter.waker()).is_pending());
    assert!(poll_with(&mut heard.next(), &counter.waker()).is_pending());
    let work = Fake::new("a");
    let _entry = work.register(&registry);
    assert_eq!(counter.wakes(), 1);
    let polled = poll_with(&mut heard.next(), &counter.waker());
    assert!(matches!(polled, Poll::Ready(Some(Heard::Event(_)))));
}

#[test]
fn law_r1_a_waker_may_use_the_registry_and_may_panic() {
    let registry = Registry::new();
    let (mut first, mut second) = (registry.subscribe(1), registry.subscribe(10));
    let other = registry.clone();
    let waker = waker_fn(move || {
        assert_eq!(other.statistics().active.running, 1);
        drop(other.subscribe(1));
        assert!(other.get("a").is_some());
        panic!("on purpose");
    });
    assert!(poll_with(&mut first.next(), &waker).is_pending());
    let work = Fake::new("a");
    let _entry = work.register(&registry);
    event(first.try_next());
    event(second.try_next());
}

#[test]
fn law_r1_a_waker_may_drop_its_subscription() {
    let registry = Registry::new();
    let kept = Arc::new(Mutex::new(Some(registry.subscribe(1))));
    let drops = Arc::clone(&kept);
    let waker = waker_fn(move || drop(drops.lock().take()));
    let mut line = kept.lock();
    assert!(poll_with(&mut line.as_mut().unwrap().next(), &waker).is_pending());
    drop(line);
    drop(Fake::new("a").register(&registry));
    assert!(kept.lock().is_none());
}

#[test]
fn it_is_over_when_the_registry_is_gone() {
    let registry = Registry::new();
    let mut heard = registry.subscribe(10);
    let work = Fake::new("a");
    let entry = work.register(&registry);
    drop(registry);
    let counter = Counter::new();
    event(heard.try_next());
    assert!(poll_with(&mut heard.next(), &counter.waker()).is_pending());
    assert!(!heard.is_over());
    // An entry may still tell.
    entry.ended(work.end(Completed));
    drop(work);
    drop(entry);
    assert_eq!(counter.wakes(), 1);
    event(heard.blocking_next());
    assert!(heard.is_over());
    assert!(heard.blocking_next().is_none());
    assert!(poll_with(&mut heard.next(), &counter.waker()).is_ready());
}

#[test]
fn a_thread_may_wait() {
    let registry = Registry::new();
    let mut heard = registry.subscribe(10);
    assert!(heard.blocking_next_timeout(Duration::ZERO).is_none());
    assert!(
        heard
            .blocking_next_timeout(Duration::from_millis(1))
            .is_none()
    );
    let waits = thread::spawn(move || {
        let first = event(heard.blocking_next()).id.clone();
        let second = event(heard.blocking_next_timeout(Duration::MAX)).id.clone();
        [first, second].concat()
    });
    let works = ["a", "b"].map(Fake::new);
    let _entries = works.each_ref().map(|work| work.register(&registry));
    assert_eq!(waits.join().unwrap(), "ab");
}

#[test]
fn hammer_each_subscription_hears_all_or_how_many_it_lost() {
    const OPERATIONS: u64 = by_profile(20_000, 2_000) as u64;
    let registry = Registry::new();
    let mut lines = [10, 1_000_000].map(|capacity| registry.subscribe(capacity));
    let count = |heard: &mut Subscription| {
        let mut sum = 0;
        while let Some(heard) = heard.blocking_next() {
            sum += match heard {
                Heard::Lagged(lost) => lost,
                _ => 1,
            };
        }
        sum
    };
    thread::scope(|scope| {
        let readers = lines.each_mut().map(|line| scope.spawn(|| count(line)));
        let workers = [0, 1].map(|thread| {
            let registry = registry.clone();
            scope.spawn(move || {
                for round in 0..OPERATIONS {
                    let work = Fake::new(&format!("{thread}-{round}"));
                    work.register(&registry).ended(work.end(Completed));
                }
            })
        });
        for worker in workers {
            worker.join().unwrap();
        }
        drop(registry);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 2 * 2 * OPERATIONS);
        }
    });
}

#[test]
#[should_panic(expected = "capacity of 0")]
fn a_capacity_of_zero_is_refused() {
    drop(Registry::new().subscribe(0));
}
