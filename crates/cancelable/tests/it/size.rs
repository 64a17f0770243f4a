//! What an operation costs in allocations, and on which threads its future may go.

use std::future::{pending, ready};
use std::rc::Rc;

use allocation_counter::measure;
use cancelable::{Cancelable, CancellationToken, Operation};

use crate::support::{poll_once, secs};

#[tokio::test]
async fn an_operation_that_is_ready_takes_no_allocation_after_the_first_of_its_thread() {
    let one = || {
        let run = Cancelable::new().timeout(secs(9)).run(|_| ready(()));
        let mut run = std::pin::pin!(run);
        assert!(poll_once(run.as_mut()).is_ready());
    };
    // The thread's own stack of current operations comes first, and a record that it keeps.
    let first = measure(one);
    assert!(first.count_total <= 2, "{first:?}");
    assert_eq!(measure(one).count_total, 0);
}

#[test]
fn law_t6_ended_operations_leave_nothing_on_a_long_lived_token() {
    let token = CancellationToken::new();
    let some = |times: u32| {
        for _ in 0..times {
            let mut run = Box::pin(Cancelable::new().token(&token).run(|op| {
                op.on_progress(|_, _| ());
                pending::<()>()
            }));
            assert!(poll_once(run.as_mut()).is_pending());
        }
    };
    some(8);
    let left = measure(|| some(10_000));
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
}

#[test]
fn law_t6_a_line_of_operations_keeps_none_that_has_ended() {
    let next = |op: &Operation| {
        let mut run = std::pin::pin!(op.child().run(ready));
        match poll_once(run.as_mut()) {
            std::task::Poll::Ready(op) => op.unwrap(),
            std::task::Poll::Pending => unreachable!("its body is ready"),
        }
    };
    let mut run = std::pin::pin!(Cancelable::new().run(|op| {
        let some = |mut last: Operation, times: u32| {
            for _ in 0..times {
                last = next(&last);
            }
            last
        };
        // A line that begins in what runs, and one that begins in what has ended.
        for first in [op.clone(), next(&next(&op))] {
            let mut last = Some(some(first, 8));
            let left = measure(|| last = last.take().map(|last| some(last, 1000)));
            assert_eq!((left.count_current, left.bytes_current), (0, 0));
        }
        ready(())
    }));
    assert!(poll_once(run.as_mut()).is_ready());
}

#[test]
fn the_future_is_send_when_the_body_is() {
    fn is_send<T: Send>(_: &T) {}
    fn is_send_and_sync<T: Send + Sync>() {}
    let plan = || Cancelable::new().condition("never", secs(1), || false);
    is_send(&plan());
    is_send(&plan().run(async |op: Operation| op.cancelled().await));
    is_send(&plan().run(|_| async { tokio::task::yield_now().await }));
    is_send(&plan().try_run(async |_| Ok::<_, cancelable::Cancellation>(())));
    is_send_and_sync::<Operation>();
    // One that is not is fine too, on its own thread.
    let local = Rc::new(7);
    let mut run = Box::pin(Cancelable::new().run(async |_| {
        tokio::task::yield_now().await;
        *local
    }));
    assert!(poll_once(run.as_mut()).is_pending());
    assert!(poll_once(run.as_mut()).is_ready());
}
