//! Resources by readings that are scripted, on a clock that is moved by hand; and the machine once.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use cancelable_machine::Reading;
use tokio::time::Instant;

use super::sampler::Sampler;
use super::{Resources, resources};
use crate::{Cancelable, Cancellation, Origin, Reason};

/// Reads what it was told to, one after the other, and the last for ever.
struct Scripted(VecDeque<Result<Reading, String>>);

impl Sampler for Scripted {
    fn sample(&mut self) -> Result<Reading, String> {
        match self.0.len() {
            0 | 1 => self.0[0].clone(),
            _ => self.0.pop_front().expect("there are two"),
        }
    }
}

/// When it fires by these readings, one a second, and why.
async fn fired(
    plan: Resources,
    readings: impl IntoIterator<Item = Result<Reading, String>>,
) -> (Duration, Cancellation) {
    let start = Instant::now();
    let scripted = Scripted(readings.into_iter().collect());
    let source = plan.interval(SECOND).watch(scripted).expect("it is valid");
    let plan = Cancelable::new().source(source);
    let outcome = plan.run(async |_| pending::<()>().await).await;
    (start.elapsed(), outcome.expect_err("the body never ends"))
}

fn memory(percents: &[f64]) -> Vec<Result<Reading, String>> {
    let sample = |&percent| {
        Ok(Reading {
            memory: Some(percent),
            ..Reading::default()
        })
    };
    percents.iter().map(sample).collect()
}

#[tokio::test(start_paused = true)]
async fn law_s5_resources_say_which_how_much_and_from_where_on() {
    let plan = || Resources::new().memory_above(80.0);
    let (after, why) = fired(plan(), memory(&[12.0, 79.96, 80.0])).await;
    assert_eq!(after, 2 * SECOND);
    assert_eq!(why.reason(), Reason::Condition);
    let Origin::Condition { name, .. } = why.origin() else {
        panic!("{why:?}");
    };
    assert_eq!(name, "memory above 80%");
    assert_eq!(why.message(), "memory is at 80.0%, above 80%");

    let mut readings = memory(&[12.0, 12.0]);
    readings[1] = Ok(Reading {
        memory: Some(12.0),
        cpu: Some(97.5),
        disk: Some(99.0),
    });
    let (after, why) = fired(plan().cpu_above(97.5).disk_above(98.0), readings).await;
    assert_eq!(after, SECOND);
    assert_eq!(why.message(), "cpu is at 97.5%, above 97.5%");
}

#[tokio::test(start_paused = true)]
async fn law_s3_resources_are_too_full_only_if_they_stay_so() {
    let plan = Resources::new()
        .memory_above(80.0)
        .sustained_for(3 * SECOND);
    let readings = memory(&[90.0, 91.0, 92.0, 79.0, 85.0, 86.0, 87.0, 88.0, 89.0]);
    let (after, why) = fired(plan.clone(), readings).await;
    assert_eq!(after, 7 * SECOND);
    assert_eq!(why.message(), "memory is at 88.0%, above 80% for 3.0s");

    // A reading that fails, and one of something else, tell nothing either way.
    let mut readings = memory(&[90.0, 0.0, 0.0, 91.0]);
    readings[1] = Err("no such file".to_owned());
    readings[2] = Ok(Reading::default());
    let (after, why) = fired(plan, readings).await;
    assert_eq!(after, 3 * SECOND);
    assert_eq!(why.message(), "memory is at 91.0%, above 80% for 3.0s");
}

#[tokio::test(start_paused = true)]
async fn law_s3_each_resource_has_to_stay_too_full_by_itself() {
    let sample = |memory, disk| {
        Ok(Reading {
            memory: Some(memory),
            disk: Some(disk),
            cpu: None,
        })
    };
    let plan = Resources::new().memory_above(80.0).disk_above(80.0);
    let plan = plan.sustained_for(2 * SECOND);
    let readings = [(90.0, 1.0), (90.0, 90.0), (1.0, 90.0), (90.0, 95.0)];
    let readings = readings.map(|(memory, disk)| sample(memory, disk));
    let (after, why) = fired(plan, readings).await;
    assert_eq!(after, 3 * SECOND);
    assert_eq!(why.message(), "disk is at 95.0%, above 80% for 2.0s");
}

#[test]
fn bad_plans_are_refused_by_the_argument() {
    fn check(plan: Resources, said: &str) {
        let refused = resources(plan).expect_err(said).to_string();
        assert!(refused.contains(said), "{refused}");
    }
    let plan = Resources::new;
    check(plan(), "give at least one of memory_above, cpu_above");
    check(plan().memory_above(0.0), "memory_above is 0: give");
    check(plan().cpu_above(100.5), "cpu_above is 100.5: give");
    check(plan().disk_above(-1.0), "disk_above is -1: give");
    check(plan().disk_above(f64::NAN), "disk_above is NaN: give");
    check(plan().disk_above(f64::INFINITY), "disk_above is inf: give");
    let memory = || plan().memory_above(50.0);
    check(memory().interval(Duration::ZERO), "interval is zero: give");
    let often = Duration::from_millis(100);
    assert!(resources(memory().interval(often)).is_ok());
    check(
        memory().cpu_above(1.0).interval(often),
        "interval is 100ms, in",
    );
    check(memory().disk_path("/"), "is given without disk_above: give");
    let nowhere = plan().disk_above(50.0).disk_path("/nowhere/at/all");
    check(nowhere, "disk_path /nowhere/at/all cannot be read: ");
}

#[tokio::test]
async fn the_machine_has_memory_and_a_disk() {
    async fn check(plan: Resources, what: &str) {
        let source = resources(plan.interval(Duration::from_millis(200))).expect("it is valid");
        let plan = Cancelable::new().source(source);
        let outcome = plan.run(async |_| pending::<()>().await).await;
        let said = outcome.expect_err("the body never ends").to_string();
        assert!(said.starts_with(what), "{said}");
    }
    const TINY: f64 = 1e-6;
    check(Resources::new().memory_above(TINY), "memory is at ").await;
    check(Resources::new().disk_above(TINY), "disk is at ").await;
    // This thread is busy meanwhile.
    let cpu = tokio::spawn(check(Resources::new().cpu_above(TINY), "cpu is at "));
    while !cpu.is_finished() {
        tokio::task::yield_now().await;
    }
    cpu.await.expect("it fired");
}

const SECOND: Duration = Duration::from_secs(1);
