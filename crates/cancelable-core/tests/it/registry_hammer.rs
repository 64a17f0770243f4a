//! Many threads at once: what is counted adds up at every moment.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use cancelable_core::{Filter, OperationStatus, Outcome, Reason, Registry, Statistics};

use super::registry_support::Fake;
use super::support::by_profile;

use OperationStatus::{Cancelled, Completed, Failed};

const THREADS: u64 = 4;
const ROUNDS: u64 = by_profile(20_000, 1_500) as u64;

fn check(figures: &Statistics) {
    let (active, ended) = (figures.active.total(), figures.ended.total());
    assert_eq!(figures.started, active + ended, "{figures:?}");
    // Each thread has one at a time.
    assert!(active <= THREADS, "{figures:?}");
    let told = ended - figures.ended.untold;
    assert_eq!(figures.history, told.min(100), "{figures:?}");
    assert!(figures.durations.count >= told, "{figures:?}");
}

#[test]
fn law_r2_hammer_statistics_are_exact_at_every_moment() {
    let registry = Registry::with_history(100);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let registry = &registry;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let work = Fake::with(&format!("{thread}-{round}"), |context| {
                            context.name = Some(format!("name-{}", round % 3));
                        });
                        let entry = work.register(registry);
                        match round % 4 {
                            0 => drop(entry),
                            1 => {
                                let why = Reason::Shutdown;
                                let outcome = registry.cancel(&format!("{thread}-{round}"), why);
                                assert_ne!(outcome, Outcome::Unknown);
                                entry.ended(work.end(Cancelled));
                            }
                            2 => assert!(entry.ended(work.end(Failed))),
                            _ => assert!(entry.ended(work.end(Completed))),
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                check(&registry.statistics());
                assert!(registry.history(&Filter::new()).len() <= 100);
                assert!(registry.list(&Filter::new()).len() as u64 <= THREADS);
                registry.cancel_all(&Filter::new().name("name-2").unwrap(), "at random");
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let figures = registry.statistics();
    check(&figures);
    let each = THREADS * ROUNDS / 4;
    assert_eq!(figures.started, 4 * each);
    let ended = figures.ended;
    assert_eq!((ended.completed, ended.cancelled), (each, each));
    assert_eq!((ended.failed, ended.untold), (each, each));
    assert!(figures.reasons[&Reason::Shutdown] <= each);
    assert_eq!(figures.history, 100);
    assert_eq!(registry.history(&Filter::new()).len(), 100);
}

#[test]
fn law_r2_hammer_counts_are_all_of_one_moment() {
    let registry = Registry::new();
    let works: Vec<_> = (0..64).map(|it| Fake::new(&it.to_string())).collect();
    thread::scope(|scope| {
        // Each in a part of the registry of its own, and the next one comes before the one before it goes.
        let first = registry.register(&Fake::new("first"));
        let worker = scope.spawn(|| {
            let mut last = first;
            for work in works.iter().cycle().take(by_profile(1_000_000, 60_000)) {
                last = registry.register(work);
            }
            last
        });
        while !worker.is_finished() {
            let active = registry.count(&Filter::new());
            assert!((1..=2).contains(&active), "{active} at once");
        }
    });
}

#[test]
fn law_r2_hammer_the_history_is_of_the_same_moment() {
    let registry = Registry::with_history(2);
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            for round in 0..by_profile(300_000, 50_000) {
                let work = Fake::new(&round.to_string());
                let entry = registry.register(&work).unwrap();
                entry.ended(work.end(Completed));
            }
        });
        while !worker.is_finished() {
            let figures = registry.statistics();
            assert_eq!(figures.history, figures.ended.total().min(2));
        }
    });
}

#[test]
fn law_r4_hammer_one_of_many_with_an_id_gets_in() {
    let registry = Registry::new();
    for _ in 0..by_profile(500, 100) {
        let works: Vec<_> = (0..THREADS).map(|_| Fake::new("same")).collect();
        let entries: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = works
                .iter()
                .map(|work| scope.spawn(|| registry.register(work)))
                .collect();
            all.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(entries.iter().filter(|entry| entry.is_ok()).count(), 1);
        assert_eq!(registry.count(&Filter::new()), 1);
    }
    assert_eq!(
        registry.statistics().ended.untold,
        registry.statistics().started
    );
}

#[test]
fn law_r4_hammer_an_operation_is_never_unknown_while_it_ends() {
    let registry = Registry::new();
    for round in 0..by_profile(5_000, 500) {
        let id = round.to_string();
        let work = Fake::new(&id);
        let entry = work.register(&registry);
        thread::scope(|scope| {
            scope.spawn(|| entry.ended(work.end(Completed)));
            scope.spawn(|| {
                while registry.get(&id).unwrap().status != Completed {
                    assert_ne!(registry.cancel(&id, "x"), Outcome::Unknown);
                }
            });
        });
    }
}

#[test]
fn law_r4_hammer_what_ends_and_is_gone_at_once_is_never_unknown() {
    const ROUNDS: u64 = by_profile(300_000, 100_000) as u64;
    let registry = Registry::with_history(usize::MAX);
    let latest = AtomicU64::new(0);
    let come_and_go = |round: u64, begun: &dyn Fn()| {
        let work = Fake::new(&round.to_string());
        let entry = registry.register(&work).unwrap();
        begun();
        entry.ended(work.end(Completed));
    };
    come_and_go(0, &|| ());
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            for round in 1..ROUNDS {
                come_and_go(round, &|| latest.store(round, Ordering::Release));
            }
        });
        while !worker.is_finished() {
            let id = latest.load(Ordering::Acquire).to_string();
            assert!(registry.get(&id).is_some(), "{id}");
            assert_ne!(registry.cancel(&id, "x"), Outcome::Unknown, "{id}");
        }
    });
}

#[test]
fn pages_show_what_is_live_all_the_while_whatever_comes_and_goes() {
    let registry = Registry::new();
    let stays: Vec<_> = (0..300)
        .map(|number| {
            let work = Fake::new(&format!("stays-{number:03}"));
            let entry = work.register(&registry);
            (work, entry)
        })
        .collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0_u64.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let work = Fake::new(&format!("goes-{round}"));
                drop(work.register(&registry));
            }
        });
        for _ in 0..by_profile(100, 10) {
            let mut seen = Vec::new();
            let mut next = None;
            loop {
                let page = registry.page(&Filter::new(), next, 7);
                seen.extend(page.operations.into_iter().map(|context| context.id));
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            seen.retain(|id| id.starts_with("stays"));
            assert_eq!(seen.len(), stays.len());
            assert!(seen.is_sorted());
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn hammer_pages_miss_nobody_who_registers_meanwhile() {
    const EACH: usize = by_profile(20_000, 2_000);
    let registry = Registry::new();
    let working = AtomicUsize::new(2);
    let (mut seen, mut last) = (HashSet::new(), None);
    thread::scope(|scope| {
        let workers = [0, 1].map(|thread| {
            let (registry, working) = (&registry, &working);
            scope.spawn(move || {
                let works = (0..EACH).map(|it| Fake::new(&format!("{thread}-{it}")));
                let works: Vec<_> = works.collect();
                let entries: Vec<_> = works.iter().map(|it| registry.register(it)).collect();
                working.fetch_sub(1, Ordering::Release);
                (works, entries)
            })
        });
        loop {
            let is_over = working.load(Ordering::Acquire) == 0;
            let page = registry.page(&Filter::new(), last, 50);
            seen.extend(page.operations.into_iter().map(|context| context.id));
            // After the last page, the same place is looked at again.
            last = page.next.or(last);
            if is_over && page.next.is_none() {
                break;
            }
        }
        for worker in workers {
            worker.join().unwrap();
        }
    });
    assert_eq!(seen.len(), 2 * EACH);
}
