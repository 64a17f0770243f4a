//! Shields, tasks and finalizers are held to at every await (O1, O3, O5, O6, O7): also where the cancel comes while one of them
//! is at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cancelable::{Cancelable, CancellationToken, Operation, OperationStatus};
use cancelable_testing::{Cut, Recorder, Report, Sweep, Way};
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::support::{Log, secs};

/// What one run leaves to be looked at.
#[derive(Default)]
struct Left {
    log: Log,
    recorder: Recorder,
    /// How much of the section is done, and of the one that nobody can drop.
    section: Arc<AtomicUsize>,
    /// Tasks whose futures are there.
    tasks: Arc<AtomicUsize>,
}

/// Counted for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Left {
    fn plan(&self, stop: &CancellationToken) -> Cancelable {
        self.recorder
            .record(Cancelable::new().name("work").token(stop))
    }

    fn steps(&self) -> usize {
        self.section.load(Ordering::Relaxed)
    }
}

/// A section of three steps.
async fn three_steps(steps: Arc<AtomicUsize>) {
    for _ in 0..3 {
        steps.fetch_add(1, Ordering::Relaxed);
        sleep(secs(1)).await;
    }
    steps.fetch_add(1, Ordering::Relaxed);
}

const EVERY_WAY: [Way; 4] = [
    Way::Dropped,
    Way::DroppedWoken,
    Way::Cancelled,
    Way::TokenCancelled,
];

fn is_dropped<T>(cut: &Cut<T>) -> bool {
    matches!(cut.way(), Way::Dropped | Way::DroppedWoken)
}

async fn sweep(
    body: impl AsyncFn(&Left, CancellationToken),
    check: impl AsyncFn(&Left, &Cut<()>),
) -> Report {
    let check = async |left: &Left, cut: &Cut<()>| {
        left.recorder.assert_all_ended();
        check(left, cut).await;
    };
    let sweep = Sweep::new().ways(EVERY_WAY);
    let report = sweep.run_with_token(async || Left::default(), body, check);
    let report = report.await;
    assert!(report.awaits() >= 3, "{report}");
    report
}

#[tokio::test(start_paused = true)]
async fn law_o5_sweep_a_section_that_has_begun_runs_to_its_end() {
    let body = async |left: &Left, stop: CancellationToken| {
        let run = left.plan(&stop).run(async |op| {
            yield_now().await;
            op.shield(async {
                op.shield(three_steps(Arc::clone(&left.section))).await;
                yield_now().await;
                left.log.note("section ended");
            })
            .await;
            yield_now().await;
            left.log.note("body ended");
        });
        drop(run.await);
    };
    let check = async |left: &Left, cut: &Cut<()>| {
        let ended = left.log.take();
        if !is_dropped(cut) {
            let is_whole =
                left.steps() == 4 && ended.first().is_some_and(|it| it == "section ended");
            assert!(
                left.steps() == 0 || is_whole,
                "{} steps, {ended:?}",
                left.steps()
            );
        }
        // The cancel is delivered right after it: what comes then is done only where nobody has cancelled.
        let asked = left
            .recorder
            .lines()
            .iter()
            .any(|line| line.starts_with("work asked"));
        let is_last_word = cut.at() == cut.awaits();
        assert!(!(asked && ended.len() == 2) || is_last_word, "{ended:?}");
    };
    sweep(body, check).await;
}

/// One that nobody can drop also runs to its end where the run is dropped.
#[tokio::test(start_paused = true)]
async fn law_o5_sweep_a_detached_section_that_has_begun_is_never_dropped() {
    let body = async |left: &Left, stop: CancellationToken| {
        let run = left.plan(&stop).run(async |op| {
            yield_now().await;
            let _ = op
                .shield_detached(three_steps(Arc::clone(&left.section)))
                .await;
            yield_now().await;
        });
        drop(run.await);
    };
    let check = async |left: &Left, _: &Cut<()>| {
        assert!([0, 4].contains(&left.steps()), "{} steps", left.steps())
    };
    sweep(body, check).await;
}

/// Whichever await it is cancelled at: as the run returns the tasks are gone, and where it was dropped they go by themselves.
#[tokio::test(start_paused = true)]
async fn law_o3_sweep_tasks_are_told_and_awaited() {
    let body = async |left: &Left, stop: CancellationToken| {
        let run = left.plan(&stop).run(async |op| {
            for number in 0..3 {
                let (own, steps) = (op.clone(), Arc::clone(&left.section));
                let (counted, log) = (Counted::new(&left.tasks), left.log.clone());
                drop(op.spawn(async move {
                    let _counted = counted;
                    if number == 1 {
                        own.shield(three_steps(steps)).await;
                    }
                    sleep(secs(5 * number)).await;
                    log.note(format!("task {number} ended"));
                }));
                sleep(secs(1)).await;
            }
        });
        drop(run.await);
        assert_eq!(left.tasks.load(Ordering::Relaxed), 0, "as the run returns");
    };
    let check = async |left: &Left, cut: &Cut<()>| {
        assert_eq!(left.tasks.load(Ordering::Relaxed), 0);
        let steps = left.steps();
        assert!([0, 4].contains(&steps), "the task's section: {steps} steps");
        // The last await is for the last task: cut as that has ended, or not at all, it has come to its end.
        let is_late = cut.way() == Way::DroppedWoken && cut.at() == cut.awaits();
        let ended = left.log.take();
        let has_ended = ended.last().is_some_and(|last| last == "task 2 ended");
        assert_eq!(
            has_ended,
            is_late || cut.way() == Way::LeftAlone,
            "{ended:?}"
        );
    };
    sweep(body, check).await;
}

/// Those that were registered run once each, the last one first, to their ends; after the body, before the operation has ended.
#[tokio::test(start_paused = true)]
async fn law_o7_sweep_finalizers_run_once_to_their_ends() {
    let body = async |left: &Left, stop: CancellationToken| {
        let cleanup = |number: usize| {
            let log = left.log.clone();
            async move |op: Operation| {
                log.note(format!("{number} begins"));
                for _ in 0..2 {
                    sleep(secs(1)).await;
                    assert!(!op.status().is_terminal());
                }
                log.note(format!("{number} ends"));
            }
        };
        let run = left
            .plan(&stop)
            .finalizer(None, cleanup(1))
            .run(async |op| {
                left.log.note("registered 1");
                let _body = left.log.note_on_drop("body");
                for number in 2..4 {
                    sleep(secs(1)).await;
                    op.finalizer(None, cleanup(number));
                    left.log.note(format!("registered {number}"));
                }
                sleep(secs(1)).await;
            });
        drop(run.await);
    };
    let check = async |left: &Left, cut: &Cut<()>| {
        let done = left.log.take();
        let registered = done
            .iter()
            .filter(|it| it.starts_with("registered"))
            .count();
        let mut expected: Vec<_> = (1..=registered)
            .map(|number| format!("registered {number}"))
            .collect();
        if registered > 0 {
            expected.push("body".to_owned());
        } else if !left.recorder.lines().is_empty() {
            // Cancelled before its start: there is no body, and the one of the plan runs all the same.
            expected.extend(["1 begins", "1 ends"].map(str::to_owned));
        }
        for number in (1..=registered).rev() {
            expected.extend([format!("{number} begins"), format!("{number} ends")]);
        }
        assert_eq!(done, expected);
        for event in left.recorder.events() {
            if let cancelable::What::Ended { context, .. } = &event.what {
                assert_eq!(context.skipped_finalizers, 0);
                // Decided with the body; dropped while finalizers run, it ends Cancelled.
                let is_cut = cut.way() != Way::LeftAlone && registered < 3;
                assert!(!is_cut || context.status == OperationStatus::Cancelled);
            }
        }
    };
    let report = sweep(body, check).await;
    // Three in the body, and two for each finalizer.
    assert!(report.awaits() >= 9, "{report}");
}

/// All of it at once, and a grace: it starts, is asked at most once, and ends, once.
#[tokio::test(start_paused = true)]
async fn law_o1_sweep_one_ask_and_one_end() {
    let body = async |left: &Left, stop: CancellationToken| {
        let log = left.log.clone();
        let plan = left
            .plan(&stop)
            .grace(secs(2))
            .finalizer(None, async move |op: Operation| {
                op.report_progress("cleaning up");
                sleep(secs(1)).await;
                log.note("cleaned up");
            });
        let run = plan.run(async |op| {
            op.report_progress("begun");
            let own = op.clone();
            drop(op.spawn(async move { own.shield(sleep(secs(3))).await }));
            sleep(secs(1)).await;
            op.shield(sleep(secs(1))).await;
            sleep(secs(5)).await;
            op.report_progress("done");
        });
        drop(run.await);
    };
    let check = async |left: &Left, cut: &Cut<()>| {
        let lines = left.recorder.lines();
        let count = |begin: &str| lines.iter().filter(|line| line.starts_with(begin)).count();
        // Dropped before its first poll, it is no event at all.
        let is_none = lines.is_empty() && cut.at() == 0;
        assert!(is_none || (count("work started"), count("work ended")) == (1, 1));
        assert!(count("work asked") <= 1);
        let cleaned = usize::from(!is_none);
        assert_eq!(
            (count("work progress: cleaning up"), left.log.take().len()),
            (cleaned, cleaned)
        );
        if !is_none {
            left.recorder.assert_in_order([
                "work started",
                "work progress: cleaning up",
                "work ended",
            ]);
        }
        if cut.way() == Way::LeftAlone {
            left.recorder.assert_lines([
                "work started",
                "work progress: begun",
                "work progress: done",
                "work progress: cleaning up",
                "work ended: completed",
            ]);
        }
    };
    sweep(body, check).await;
}
