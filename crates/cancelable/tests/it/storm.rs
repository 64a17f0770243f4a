//! Everything at once, on real threads: random operations, cancelled and dropped at random moments. Whatever happens, each that
//! has begun ends once, with nothing of it left, and a registry has counted it.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use cancelable::source;
use cancelable::{
    Cancelable, Cancellation, CancellationToken, Filter, Operation, OperationContext, Registry,
    checkpoint,
};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::support::{Log, OnDrop};

#[test]
fn law_o1_o3_hammer_everything_ends_once_and_leaves_nothing() {
    let mut dice = Dice(0x5eed);
    for _ in 0..20 {
        storm(&mut dice);
    }
}

fn storm(dice: &mut Dice) {
    let world = World::default();
    let runtime = runtime();
    runtime.block_on(async {
        let runs = (0..30).map(|_| {
            let run = world.clone().run(dice.other(), 3);
            let run = AssertUnwindSafe(run).catch_unwind();
            let dropped_after = dice.one_in(3).then(|| dice.moment());
            let task = tokio::spawn(async move {
                let _ = match dropped_after {
                    Some(moment) => timeout(moment, run).await.ok(),
                    None => Some(run.await),
                };
            });
            if dice.one_in(6) {
                task.abort();
            }
            task
        });
        let runs: Vec<_> = runs.collect();
        let (token, moment) = (world.token.clone(), dice.moment());
        let cancel = tokio::task::spawn_blocking(move || {
            std::thread::sleep(moment);
            token.cancel();
        });
        for run in runs {
            let _ = run.await;
        }
        cancel.await.expect("it does not panic");
        world.wait_until_all_is_over().await;
    });
    // The last callbacks have returned by then.
    drop(runtime);
    let statistics = world.registry.statistics();
    let ended = statistics.ended;
    let told = ended.completed + ended.cancelled + ended.failed;
    assert_eq!((statistics.started, ended.untold), (told, 0));
    assert_eq!(world.ends.load(SeqCst) as u64, told);
    assert_eq!(world.wrong.take(), Vec::<String>::new());
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(3).enable_all().build();
    runtime.expect("the machine lends three threads")
}

/// What all operations of a storm share.
#[derive(Clone, Default)]
struct World {
    registry: Registry,
    token: CancellationToken,
    ends: Arc<AtomicUsize>,
    wrong: Log,
}

/// How much of an operation there is.
#[derive(Default)]
struct Parts {
    bodies: AtomicUsize,
    tasks: AtomicUsize,
    threads: AtomicUsize,
    ends: AtomicUsize,
}

impl World {
    /// An operation, with up to `depth` others inside.
    fn run(self, mut dice: Dice, depth: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let parts = Arc::new(Parts::default());
        let plan = self.plan(&mut dice, &parts);
        Box::pin(async move {
            let run = plan.run(async |op| {
                let _part = part(&parts, |parts| &parts.bodies);
                self.body(&op, &parts, dice, depth).await
            });
            let _ = run.await;
            let tasks = parts.tasks.load(SeqCst);
            if tasks != 0 {
                self.wrong
                    .note(format!("{tasks} tasks are left after a run"));
            }
        })
    }

    fn plan(&self, dice: &mut Dice, parts: &Arc<Parts>) -> Cancelable {
        let ended = || {
            let (world, parts) = (self.clone(), Arc::clone(parts));
            move |context: &OperationContext| world.note_end(context, &parts)
        };
        let mut plan = Cancelable::new()
            .registered_in(&self.registry)
            .on_complete(ended())
            .on_cancel(ended())
            .on_error(ended());
        if dice.one_in(2) {
            plan = plan.timeout(dice.moment());
        }
        if dice.one_in(3) {
            plan = plan.grace(dice.moment());
        }
        if dice.one_in(4) {
            plan = plan.token(&self.token);
        }
        if dice.one_in(4) {
            plan = plan.source(source::timeout(dice.moment()));
        }
        if dice.one_in(8) {
            plan = plan.detached();
        }
        if dice.one_in(8) {
            let mut dice = dice.other();
            plan = plan.condition("one in twenty", MICRO * 100, move || dice.one_in(20));
        }
        for _ in 0..dice.below(3) {
            plan = plan.finalizer(None, self.finalizer(parts, dice.other()));
        }
        plan
    }

    fn note_end(&self, context: &OperationContext, parts: &Parts) {
        self.ends.fetch_add(1, SeqCst);
        let before = parts.ends.fetch_add(1, SeqCst);
        let left = [&parts.bodies, &parts.tasks, &parts.threads].map(|part| part.load(SeqCst));
        if before != 0 || left != [0; 3] || !context.status.is_terminal() {
            let note = format!("after {before} ends, {left:?} are left: {context:?}");
            self.wrong.note(note);
        }
    }

    fn finalizer(
        &self,
        parts: &Arc<Parts>,
        mut dice: Dice,
    ) -> impl FnOnce(Operation) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + use<>
    {
        let (world, parts) = (self.clone(), Arc::clone(parts));
        move |op| {
            Box::pin(async move {
                if parts.bodies.load(SeqCst) != 0 || op.status().is_terminal() {
                    world
                        .wrong
                        .note(format!("a finalizer too early or too late: {op:?}"));
                }
                match dice.below(4) {
                    0 => sleep(dice.moment()).await,
                    1 => yield_now().await,
                    2 => return Err("on purpose".to_owned()),
                    _ => {}
                }
                Ok(())
            })
        }
    }

    async fn body(
        &self,
        op: &Operation,
        parts: &Arc<Parts>,
        mut dice: Dice,
        depth: u64,
    ) -> Result<(), Cancellation> {
        for _ in 0..dice.below(8) {
            match dice.below(12 + depth.min(1) * 3) {
                0 => sleep(dice.moment()).await,
                1 => yield_now().await,
                2 => op.shield(sleep(dice.moment())).await,
                3 => drop(op.shield(sleep(dice.moment())).limit(dice.moment()).await),
                4 => drop(op.shield_detached(sleep(dice.moment())).await),
                5 => drop(op.spawn(work(op.clone(), Arc::clone(parts), dice.other()))),
                6 => {
                    let parts = Arc::clone(parts);
                    drop(op.spawn_blocking(|| compute(parts)));
                }
                7 => {
                    let mut items = op.stream(stream::iter(0..dice.below(200)));
                    while let Some(item) = items.next().await {
                        item?;
                    }
                }
                8 => op.check()?,
                9 => drop(op.finalizer(None, self.finalizer(parts, dice.other()))),
                10 if dice.one_in(6) => panic!("by the storm"),
                11 if dice.one_in(4) => drop(op.cancel()),
                12 => self.clone().run(dice.other(), depth - 1).await,
                13 => {
                    let inner = self.clone().run(dice.other(), depth - 1);
                    let _ = timeout(dice.moment(), inner).await;
                }
                14 => {
                    let one = self.clone().run(dice.other(), depth - 1);
                    let other = self.clone().run(dice.other(), depth - 1);
                    tokio::select! { () = one => {}, () = other => {} }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Those whose future was dropped may still have something to settle.
    async fn wait_until_all_is_over(&self) {
        let mut events = self.registry.subscribe(10_000);
        while self.registry.count(&Filter::new()) > 0 {
            events.next().await;
        }
    }
}

/// One more of what `count` counts, until it is dropped.
fn part(parts: &Arc<Parts>, count: fn(&Parts) -> &AtomicUsize) -> OnDrop<impl FnMut() + use<>> {
    let parts = Arc::clone(parts);
    count(&parts).fetch_add(1, SeqCst);
    OnDrop(move || {
        count(&parts).fetch_sub(1, SeqCst);
    })
}

async fn work(op: Operation, parts: Arc<Parts>, mut dice: Dice) {
    let _part = part(&parts, |parts| &parts.tasks);
    if dice.one_in(2) {
        op.shield(sleep(dice.moment())).await;
    }
    sleep(dice.moment()).await;
}

fn compute(parts: Arc<Parts>) -> Result<(), Cancellation> {
    let _part = part(&parts, |parts| &parts.threads);
    for _ in 0..20 {
        checkpoint()?;
        std::thread::sleep(MICRO * 20);
    }
    Ok(())
}

/// Random numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn moment(&mut self) -> Duration {
        Duration::from_micros(self.below(1500))
    }

    fn other(&mut self) -> Self {
        Self(self.below(u64::MAX) | 1)
    }
}

const MICRO: Duration = Duration::from_micros(1);
