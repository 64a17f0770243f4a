//! Records that are used again, and drivers that have the only handle to their operation.

use std::future::{pending, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread;

use cancelable::{Cancelable, Operation, OperationStatus, Reason};
use tokio::time::sleep;

use crate::support::{Woken, secs};

#[tokio::test(start_paused = true)]
async fn law_o1_an_operation_has_nothing_of_the_one_before_it() {
    for _ in 0..3 {
        let before = Cancelable::new().timeout(secs(5));
        before.run(async |_| sleep(secs(1)).await).await.unwrap();
        let after = Cancelable::new().run(async |op| {
            assert_eq!(op.status(), OperationStatus::Running);
            assert_eq!(op.deadline(), None);
            op.context().duration
        });
        assert_eq!(after.await.unwrap(), secs(0));
    }
}

#[test]
fn law_t6_an_operation_that_ended_keeps_no_waker() {
    let (woken, waker) = Woken::new();
    let run = Cancelable::new().run(|op| {
        let mut handle = Some(op);
        let mut is_first = true;
        // Waits with the handle, and then lets go of it.
        poll_fn(move |_| {
            if mem::take(&mut is_first) {
                return Poll::Pending;
            }
            drop(handle.take());
            Poll::Ready(())
        })
    });
    let mut run = pin!(run);
    let mut cx = Context::from_waker(&waker);
    assert!(run.as_mut().poll(&mut cx).is_pending());
    assert_eq!(Arc::strong_count(&woken), 3, "its waker is there");
    assert!(run.as_mut().poll(&mut cx).is_ready());
    assert_eq!(Arc::strong_count(&woken), 2);
}

/// The driver's handle is the only one again when the ask is there to be heard.
#[test]
fn law_t9_hammer_a_last_handle_that_asks_and_goes_is_heard() {
    let (give, take) = mpsc::channel::<Operation>();
    let other = thread::spawn(move || {
        for operation in take {
            operation.cancel();
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("without I/O and time").block_on(async {
        for _ in 0..5_000 {
            let run = Cancelable::new().run(|op| {
                give.send(op).expect("it takes all");
                pending::<()>()
            });
            assert_eq!(run.await.unwrap_err().reason(), Reason::Manual);
        }
    });
    drop(give);
    other.join().expect("it panics nowhere");
}
