//! Every await is a place to be cancelled at: operations and streams hold their laws at each (O1, O4, O9, I1, I2, I3).

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use cancelable::{
    Cancelable, CancellationToken, Operation, OperationContext, OperationStatus, Reason,
};
use cancelable_testing::{Cut, Recorder, Sweep, Way};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::yield_now;

/// What one run leaves to be looked at.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    /// Operations, each with how many items its body had seen.
    operations: Vec<(Operation, u64)>,
    ends: Vec<OperationContext>,
    /// What the source gave, and what came out.
    given: u64,
}

impl Trace {
    fn with<T>(&self, look: impl FnOnce(&mut Inside) -> T) -> T {
        look(&mut self.0.lock().expect("nothing panics in here"))
    }

    /// A plan whose end is noted.
    fn plan(&self) -> Cancelable {
        let note = || {
            let trace = self.clone();
            move |context: &OperationContext| trace.with(|inside| inside.ends.push(context.clone()))
        };
        Cancelable::new()
            .on_complete(note())
            .on_cancel(note())
            .on_error(note())
    }

    fn enter(&self, op: &Operation) -> usize {
        assert_eq!(op.status(), OperationStatus::Running);
        self.with(|inside| {
            inside.operations.push((op.clone(), 0));
            inside.operations.len() - 1
        })
    }
}

/// Gives an item in every second poll, and is never polled once its operation is cancelled.
struct EverySecond {
    trace: Trace,
    op: Operation,
    polls: u64,
}

impl Stream for EverySecond {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        assert!(!self.op.is_cancelled(), "polled after a cancel");
        self.polls += 1;
        match self.polls {
            polls if polls % 2 == 1 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            12.. => Poll::Ready(None),
            polls => {
                self.trace.with(|inside| inside.given += 1);
                Poll::Ready(Some(polls))
            }
        }
    }
}

/// An operation in which two others stream side by side, one of them within a third.
async fn work(trace: &Trace) {
    let stream = async |plan: Cancelable, chunk: usize| {
        let outcome = plan.run(async |op| {
            let number = trace.enter(&op);
            let source = EverySecond {
                trace: trace.clone(),
                op: op.clone(),
                polls: 0,
            };
            let mut items = op.stream(source).keep(2).report_every(2).chunks(chunk);
            while let Some(Ok(items)) = items.next().await {
                let many = items.len() as u64;
                trace.with(|inside| inside.operations[number].1 += many);
                yield_now().await;
            }
        });
        let _ = outcome.await;
    };
    let outcome = trace.plan().run(async |op| {
        trace.enter(&op);
        yield_now().await;
        let within = trace.plan().run(async |op| {
            trace.enter(&op);
            stream(trace.plan(), 1).await;
        });
        let _ = tokio::join!(within, stream(trace.plan(), 1));
        stream(trace.plan().detached().name("apart"), 3).await;
    });
    let _ = outcome.await;
}

/// One end for each operation, that says why; and every item counted.
fn look_through<T>(trace: &Trace, cut: &Cut<T>) {
    assert!(Operation::current().is_none());
    trace.with(|inside| {
        let mut counted = 0;
        for (op, seen) in &inside.operations {
            let context = op.context();
            let ended: Vec<_> = inside.ends.iter().filter(|end| end.id == op.id()).collect();
            let [end] = ended[..] else {
                panic!("{} ends", ended.len());
            };
            assert_eq!((end.status, end.items), (context.status, context.items));
            counted += context.items;
            // What a chunk had begun with is counted, and lost with it.
            assert!(context.items - seen < 3);
            assert!(context.status.is_terminal());
        }
        assert_eq!(counted, inside.given);
        let is_dropped = matches!(cut.way(), Way::Dropped | Way::DroppedWoken);
        for end in &inside.ends {
            let is_entered = inside.operations.iter().any(|(op, _)| end.id == op.id());
            let why = end.cancellation.as_ref();
            let root_cause = why.map(|why| why.root_cause().reason());
            match end.status {
                // A stream that has said why is over, and so is its body, with a value.
                OperationStatus::Completed if cut.way() == Way::Cancelled => assert!(is_entered),
                OperationStatus::Completed => assert!(is_entered && root_cause.is_none()),
                OperationStatus::Cancelled if is_dropped || end.name.is_some() => {
                    assert_eq!(root_cause, Some(Reason::Dropped));
                    assert!(is_entered, "what is dropped begins nothing");
                }
                OperationStatus::Cancelled => {
                    assert_eq!(root_cause, Some(Reason::Manual));
                    assert_eq!(why.map(|why| why.reason()), Some(Reason::Parent));
                }
                other => panic!("ended {other}"),
            }
        }
    });
}

async fn sweep_over_work(ways: &[Way]) {
    let report = Sweep::new()
        .ways(ways.iter().copied())
        .run(
            async || Trace::default(),
            async |trace| work(trace).await,
            async |trace, cut| look_through(trace, cut),
        )
        .await;
    assert!(
        report.awaits() >= 20,
        "there is something to sweep over: {report}"
    );
}

#[tokio::test]
async fn law_o4_sweep_dropped_at_every_await() {
    sweep_over_work(&[Way::Dropped, Way::DroppedWoken]).await;
}

/// All that is inside is cancelled as `Parent`, before any of it is dropped; what is detached is dropped with the rest.
#[tokio::test]
async fn law_o8_sweep_cancelled_at_every_await() {
    sweep_over_work(&[Way::Cancelled]).await;
}

/// What a channel gave was delivered, and the rest is still in it: wherever the cut, nothing is lost in between.
#[tokio::test]
async fn law_i1_sweep_no_item_is_lost_at_any_await() {
    struct Channel {
        sender: mpsc::Sender<u32>,
        items: tokio::sync::Mutex<mpsc::Receiver<u32>>,
        delivered: Mutex<Vec<u32>>,
        recorder: Recorder,
    }
    async fn read(channel: &Channel, stop: CancellationToken) {
        let plan = Cancelable::new().name("read").token(&stop);
        let run = channel.recorder.record(plan).run(async |op| {
            let mut receiver = channel.items.lock().await;
            let source = stream::poll_fn(|cx| receiver.poll_recv(cx));
            let mut items = op.stream(source);
            while let Some(Ok(item)) = items.next().await {
                channel.delivered.lock().expect("not poisoned").push(item);
                if item == 9 {
                    break;
                }
            }
            assert_eq!(
                items.delivered(),
                channel.delivered.lock().expect("not poisoned").len() as u64
            );
        });
        let send = async {
            for item in 0..10 {
                // Full after two: the other side waits as well.
                if channel.sender.send(item).await.is_err() || stop.is_cancelled() {
                    break;
                }
                yield_now().await;
            }
        };
        let _ = tokio::join!(run, send);
    }
    let report = Sweep::new()
        .run_with_token(
            async || {
                let (sender, items) = mpsc::channel(2);
                Channel {
                    sender,
                    items: tokio::sync::Mutex::new(items),
                    delivered: Mutex::default(),
                    recorder: Recorder::new(),
                }
            },
            async |channel, stop| {
                // Whoever sends waits for nobody who has gone.
                let gone = stop.clone();
                tokio::select! {
                    biased;
                    () = read(channel, stop) => {}
                    _ = gone.cancelled() => {}
                }
            },
            async |channel, cut| {
                let mut all = channel.delivered.lock().expect("not poisoned").clone();
                let delivered = all.len();
                let mut receiver = channel.items.lock().await;
                while let Ok(item) = receiver.try_recv() {
                    all.push(item);
                }
                let expected: Vec<_> = (0..all.len() as u32).collect();
                assert_eq!(all, expected, "in order, once, after {delivered} delivered");
                channel.recorder.assert_all_ended();
                if cut.way() == Way::LeftAlone {
                    assert_eq!(delivered, 10);
                }
            },
        )
        .await;
    assert!(report.awaits() > 5, "{report}");
}
