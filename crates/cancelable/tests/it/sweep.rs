//! Every await is a place to be dropped at: operations and streams hold their laws at each (O1, O4, O9, I3).

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use cancelable::{Cancelable, Operation, OperationContext, OperationStatus, Reason};
use futures_util::{Stream, StreamExt};
use tokio::task::yield_now;

use crate::support::poll_once;

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

/// Gives an item in every second poll.
struct EverySecond {
    trace: Trace,
    polls: u64,
}

impl Stream for EverySecond {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        self.polls += 1;
        match self.polls {
            polls if polls % 2 == 1 => Poll::Pending,
            12.. => Poll::Ready(None),
            polls => {
                self.trace.with(|inside| inside.given += 1);
                Poll::Ready(Some(polls))
            }
        }
    }
}

/// An operation in which two others stream side by side, one of them within a third.
async fn work(trace: Trace) {
    let stream = async |plan: Cancelable, chunk: usize| {
        let outcome = plan.run(async |op| {
            let number = trace.enter(&op);
            let source = EverySecond {
                trace: trace.clone(),
                polls: 0,
            };
            let mut items = op.stream(source).keep(2).report_every(2).chunks(chunk);
            while let Some(items) = items.next().await {
                let many = items.expect("nobody cancels").len() as u64;
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
        let (within, ()) = tokio::join!(within, stream(trace.plan(), 1));
        within.expect("nobody cancels");
        stream(trace.plan().detached(), 3).await;
    });
    let _ = outcome.await;
}

#[test]
fn law_o4_sweep_dropped_at_every_await() {
    for polls in 0.. {
        let trace = Trace::default();
        let mut work = Box::pin(work(trace.clone()));
        let mut is_done = false;
        for _ in 0..polls {
            is_done = poll_once(work.as_mut()).is_ready();
            assert!(Operation::current().is_none());
        }
        let given = trace.with(|inside| inside.given);
        drop(work);
        assert!(Operation::current().is_none());
        trace.with(|inside| {
            assert_eq!(inside.given, given, "a source was polled as it was dropped");
            assert_eq!(
                inside.ends.len(),
                inside.operations.len(),
                "one end for each"
            );
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
                match context.status {
                    OperationStatus::Completed => assert!(context.cancellation.is_none()),
                    OperationStatus::Cancelled => {
                        let why = context.cancellation.expect("it says why");
                        assert_eq!(why.root_cause().reason(), Reason::Dropped);
                    }
                    other => panic!("ended {other}"),
                }
            }
            assert_eq!(counted, given);
        });
        if is_done {
            assert!(polls > 20, "there is something to sweep over: {polls}");
            break;
        }
    }
}
