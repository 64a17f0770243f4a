//! Sources that follow a script, and polling a stream by hand to its end.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use cancelable::{Cancelable, Cancellation, Operation};
use futures_util::stream::FusedStream;
use futures_util::{Stream, StreamExt};

use crate::support::{Log, poll_once};

/// What a scripted source does when it is polled.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Item(u32),
    /// Wakes its task, and has nothing yet.
    Later,
    /// Cancels its own operation, and goes on with the next step.
    Cancel,
}

/// A source that follows its script, and notes what is done to it.
pub(crate) struct Scripted {
    script: VecDeque<Step>,
    log: Log,
    op: Operation,
}

impl Stream for Scripted {
    type Item = u32;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        self.log.note("polled");
        loop {
            match self.script.pop_front() {
                Some(Step::Item(item)) => return Poll::Ready(Some(item)),
                Some(Step::Later) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Cancel) => _ = self.op.cancel_with("by the source"),
                None => return Poll::Ready(None),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.script.len()))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let left = self.script.iter();
        let left = left.filter(|step| matches!(step, Step::Item(_))).count();
        self.log.note(format!("dropped with {left}"));
    }
}

pub(crate) fn scripted(
    op: &Operation,
    log: &Log,
    script: impl IntoIterator<Item = Step>,
) -> Scripted {
    Scripted {
        script: script.into_iter().collect(),
        log: log.clone(),
        op: op.clone(),
    }
}

/// Polls a stream to its end, or so often; checks its size hints and its `is_terminated` on the way.
pub(crate) fn drain<S, T>(mut items: Pin<&mut S>, polls: usize) -> Vec<Result<T, Cancellation>>
where
    S: FusedStream<Item = Result<T, Cancellation>>,
{
    let (mut got, mut hints) = (Vec::new(), Vec::new());
    for _ in 0..polls {
        let was_terminated = items.is_terminated();
        hints.push((got.len(), items.size_hint()));
        let next = pin!(items.next());
        match poll_once(next) {
            Poll::Ready(Some(item)) => {
                assert!(!was_terminated, "terminated, and yet there was an item");
                got.push(item);
            }
            Poll::Ready(None) => {
                assert!(items.is_terminated());
                for (before, (least, most)) in hints {
                    let came = got.len() - before;
                    assert!(least <= came && most.is_none_or(|most| came <= most));
                }
                let next = pin!(items.next());
                assert!(matches!(poll_once(next), Poll::Ready(None)));
                break;
            }
            Poll::Pending => {}
        }
    }
    got
}

/// Runs `body`, which is ready at once, in an operation.
pub(crate) fn in_operation<T>(body: impl FnOnce(Operation) -> T) -> T {
    let mut run = pin!(Cancelable::new().run(async move |op| body(op)));
    match poll_once(run.as_mut()) {
        Poll::Ready(Ok(value)) => value,
        Poll::Ready(Err(_)) | Poll::Pending => unreachable!("it is ready at once"),
    }
}
