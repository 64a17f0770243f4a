//! The registry, with many live operations: it has no rival, so its figures are to stay below lengths of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cancelable::{
    Cancellation, Filter, LiveOperation, OperationContext, OperationStatus, Outcome, Reason,
    Registered, Registry,
};

use super::{Row, row};
use crate::Effort;
use crate::sampling::one_thread;
use crate::table::{Measured, Unit, Verdict};
use crate::threads::two_threads;

pub(crate) static ROWS: &[Row] = &[
    row("registry: a page of 100, of 100,000 live", |effort| {
        let crowd = Crowd::new(effort);
        let middle = crowd
            .registry
            .page(&Filter::new(), None, crowd.live.len() / 2);
        assert_eq!(middle.operations.len(), crowd.live.len() / 2);
        let page = |rounds| {
            for _ in 0..rounds {
                let page = crowd.registry.page(&Filter::new(), middle.next, 100);
                assert_eq!(page.operations.len(), 100.min(crowd.live.len() / 2));
            }
        };
        Measured::within(one(effort, page), 1e6)
    }),
    row("registry: cancel by id, of 100,000 live", |effort| {
        let crowd = Crowd::new(effort);
        let mut all = crowd.live.iter().cycle();
        let cancel = |rounds| {
            let why = Cancellation::new(Reason::Shutdown);
            for _ in 0..rounds {
                let (operation, _entry) = all.next().expect("a circle has no end");
                let outcome = crowd.registry.cancel(&operation.id, why.clone());
                assert_eq!(outcome, Outcome::Asked);
            }
        };
        let measured = Measured::within(one(effort, cancel), 1e4);
        assert!(crowd.live[0].0.asks.load(Ordering::Relaxed) > 0);
        measured
    }),
    row("registry: register + end, of 100,000 live", |effort| {
        let crowd = Crowd::new(effort);
        let measured = Measured::within(one(effort, |rounds| crowd.come_and_go(0, rounds)), 2e3);
        let figures = crowd.registry.statistics();
        assert!(figures.ended.completed > 0);
        assert_eq!(
            figures.started,
            figures.active.total() + figures.ended.total()
        );
        measured
    }),
    row("registry: register + end, 2 threads over 1", |effort| {
        two_over_one(effort, &Crowd::new(effort))
    }),
    row("registry: the same with no history", |effort| {
        let crowd = Crowd::new(effort);
        crowd.registry.set_history_limit(0);
        two_over_one(effort, &crowd)
    }),
];

fn two_over_one(effort: &Effort, crowd: &Crowd) -> Measured {
    let sample = AtomicU64::new(0);
    // Each sample has an id of its own, of one thread as of two: an id decides which part of the registry is used, and what
    // stands next to it in memory.
    let come_and_go = |rounds| crowd.come_and_go(sample.fetch_add(1, Ordering::Relaxed), rounds);
    let alone = one(effort, come_and_go);
    let times = two_threads(effort, [&come_and_go]).median(0) / alone;
    Measured {
        theirs: None,
        ours: times,
        unit: Unit::Times,
        ratio: None,
        reach: "≤ 2 ×".to_owned(),
        verdict: Verdict::of(times <= 2.0),
    }
}

fn one(effort: &Effort, mut side: impl FnMut(u64)) -> f64 {
    one_thread(effort, [&mut side]).median(0)
}

/// A registry with many live operations.
struct Crowd {
    registry: Registry,
    live: Vec<(Arc<Operation>, Registered)>,
}

impl Crowd {
    fn new(effort: &Effort) -> Self {
        let registry = Registry::new();
        let live = (0..effort.children(100_000)).map(|number| {
            let operation = Operation::new(format!("live-{number}-{}", "x".repeat(24)));
            let entry = registry.register(&operation);
            (operation, entry.expect("each has an id of its own"))
        });
        let live = live.collect();
        Self { registry, live }
    }

    /// Registers operations and ends them, one after the other.
    fn come_and_go(&self, sample: u64, rounds: u64) {
        let operation = Operation::new(format!("{sample:036}"));
        for _ in 0..rounds {
            let entry = self.registry.register(&operation);
            let entry = entry.expect("the one before has ended");
            let mut context = operation.context();
            context.status = OperationStatus::Completed;
            context.duration = Duration::from_millis(rounds % 50);
            assert!(entry.ended(context));
        }
    }
}

/// An operation that does nothing but count who asks it to stop.
struct Operation {
    id: String,
    asks: AtomicU64,
}

impl Operation {
    fn new(id: String) -> Arc<Self> {
        let asks = AtomicU64::new(0);
        Arc::new(Self { id, asks })
    }
}

impl LiveOperation for Operation {
    fn id(&self) -> &str {
        &self.id
    }

    fn attempt(&self) -> u32 {
        1
    }

    fn name(&self) -> Option<&str> {
        Some("work")
    }

    fn parent_id(&self) -> Option<&str> {
        None
    }

    fn status(&self) -> OperationStatus {
        OperationStatus::Running
    }

    fn age(&self) -> Duration {
        Duration::ZERO
    }

    fn since_asked(&self) -> Option<Duration> {
        None
    }

    fn has_metadata(&self, _: &str, _: &serde_json::Value) -> bool {
        false
    }

    fn context(&self) -> OperationContext {
        let mut context = OperationContext::new(self.id.as_str());
        context.name = Some("work".to_owned());
        context
    }

    fn cancel_with(&self, _: Cancellation) -> bool {
        self.asks.fetch_add(1, Ordering::Relaxed);
        true
    }
}
