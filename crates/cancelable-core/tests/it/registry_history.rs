//! The history: bounded, the newest kept, nothing left of the rest.

use std::time::Duration;

use allocation_counter::measure;
use cancelable_core::{Filter, OperationStatus, Registry};

use super::registry_support::{Fake, ids};
use super::support::by_profile;

use OperationStatus::{Completed, Failed};

fn end_one(registry: &Registry, id: &str) {
    let work = Fake::new(id);
    assert!(work.register(registry).ended(work.end(Completed)));
}

#[test]
fn law_r3_the_newest_thousand_are_kept() {
    let registry = Registry::new();
    for number in 0..1500 {
        end_one(&registry, &number.to_string());
    }
    let history = registry.history(&Filter::new());
    assert_eq!(history.len(), 1000);
    assert_eq!(registry.statistics().history, 1000);
    let newest: Vec<_> = (500..1500).rev().map(|it| it.to_string()).collect();
    assert_eq!(ids(&history), newest);
    assert!(registry.get("499").is_none());
    assert!(registry.get("500").is_some());
}

#[test]
fn law_r3_the_limit_can_be_changed_and_zero_keeps_none() {
    let registry = Registry::with_history(3);
    let known = |registry: &Registry| ids(&registry.history(&Filter::new())).concat();
    for id in ["a", "b", "c", "d"] {
        end_one(&registry, id);
    }
    assert_eq!(known(&registry), "dcb");
    registry.set_history_limit(2);
    assert_eq!(known(&registry), "dc");
    // What is gone does not come back.
    registry.set_history_limit(9);
    assert_eq!(known(&registry), "dc");
    end_one(&registry, "e");
    assert_eq!(known(&registry), "edc");
    registry.set_history_limit(0);
    end_one(&registry, "f");
    assert_eq!(known(&registry), "");
    assert!(registry.get("f").is_none());
    registry.set_history_limit(usize::MAX);
    end_one(&registry, "g");
    assert_eq!(known(&registry), "g");
}

#[test]
fn law_r3_what_is_to_be_forgotten_is_and_nothing_else() {
    let registry = Registry::with_history(5);
    for (id, status) in [("a", Failed), ("b", Completed), ("a", Completed)] {
        let work = Fake::new(id);
        work.register(&registry).ended(work.end(status));
    }
    let live = Fake::new("b");
    let _entry = live.register(&registry);
    let known = |registry: &Registry| ids(&registry.history(&Filter::new())).concat();
    assert_eq!(known(&registry), "aba");

    // The id is known by the end before.
    assert_eq!(registry.forget(&Filter::new().status(Completed)), 2);
    assert_eq!(known(&registry), "a");
    assert_eq!(registry.get("a").unwrap().status, Failed);
    let figures = registry.statistics();
    assert_eq!((figures.history, figures.ended.completed), (1, 2));
    assert_eq!(figures.active.running, 1, "live ones stay");

    assert_eq!(registry.forget(&Filter::new()), 1);
    assert_eq!(registry.forget(&Filter::new()), 0);
    assert!(registry.get("a").is_none());
    assert_eq!(registry.statistics().history, 0);
    for id in ["c", "d", "e", "f", "g", "h"] {
        end_one(&registry, id);
    }
    assert_eq!(known(&registry), "hgfed");
    assert_eq!(registry.statistics().history, 5);
}

#[test]
fn law_r3_an_id_that_ends_again_and_again_is_there_as_often() {
    let registry = Registry::with_history(4);
    for status in [Failed, Failed, Completed] {
        let work = Fake::new("a");
        work.register(&registry).ended(work.end(status));
    }
    assert_eq!(registry.history(&Filter::new()).len(), 3);
    assert_eq!(registry.get("a").unwrap().status, Completed);
    for id in ["b", "c", "d", "e"] {
        assert!(registry.get("a").is_some());
        end_one(&registry, id);
    }
    assert!(registry.get("a").is_none());
}

#[test]
fn law_r3_operations_leave_nothing_but_the_history() {
    let registry = Registry::with_history(50);
    let mut number = 0_u64;
    let mut lives = |rounds| {
        for _ in 0..rounds {
            number += 1;
            let id = format!("{number:036}");
            let work = Fake::new(&id);
            let entry = registry.register(&work).unwrap();
            match number % 3 {
                0 => drop(entry),
                _ => assert!(entry.ended(work.end(Completed))),
            }
        }
    };
    lives(2_000);
    let used = measure(|| lives(by_profile(200_000, 20_000)));
    // How many are still in memory beyond the history, differs a little; so does the room in tables.
    assert!(used.bytes_current.abs() < 400_000, "{used:?}");
    assert!(used.bytes_max < 400_000, "{used:?}");
    assert_eq!(registry.history(&Filter::new()).len(), 50);
}

#[test]
fn names_beyond_the_first_are_counted_together() {
    let registry = Registry::new();
    let end_named = |name: &str| {
        let work = Fake::with(name, |context| context.name = Some(name.to_owned()));
        work.register(&registry).ended(work.end(Completed));
    };
    for round in 0..2 {
        for number in 0..1000 {
            end_named(&format!("name-{number}"));
        }
        end_named(&"long".repeat(100));
        end_one(&registry, "unnamed");
        let figures = registry.statistics();
        let rounds = round + 1;
        assert_eq!(figures.durations_by_name.len(), 256);
        let named = figures.durations_by_name.values();
        assert!(named.into_iter().all(|name| name.count == rounds));
        assert_eq!(figures.durations_of_other_names.count, rounds * 745);
        assert_eq!(figures.durations_of_unnamed.count, rounds);
        assert_eq!(figures.durations.count, rounds * 1002);
    }
}

#[test]
fn law_r2_half_and_99_of_100_took_no_longer_than_that() {
    let registry = Registry::new();
    for count in 1..=250_u64 {
        let work = Fake::with(&count.to_string(), |context| {
            context.duration = Duration::from_secs(count);
        });
        work.register(&registry).ended(work.end(Completed));
        let durations = registry.statistics().durations;
        let near = |found: Duration, seconds: u64| {
            let off = found.as_secs_f64() / seconds as f64 - 1.0;
            assert!(off.abs() <= 0.021, "{count}: {durations:?}");
        };
        near(durations.p50, count.div_ceil(2));
        near(durations.p99, (99 * count).div_ceil(100));
    }
}

/// Were others looked for each time that have the id of the one that goes, this would take minutes where it is optimized.
#[test]
fn law_r1_a_long_history_is_forgotten_in_no_long_time() {
    const ENDS: usize = by_profile(1_000_000, 50_000);
    let registry = Registry::with_history(ENDS);
    for number in 0..ENDS {
        end_one(&registry, &number.to_string());
    }
    assert_eq!(registry.forget(&Filter::new()), ENDS);
    assert_eq!(registry.statistics().history, 0);
}
