//! O1: an operation that falls over ends Failed, and the panic goes on.

use std::future::pending;
use std::panic::AssertUnwindSafe;

use cancelable::OperationStatus;
use futures_util::FutureExt;

use crate::support::{Handle, Log, OnDrop, heard, poll_once, secs};

#[test]
fn law_o1_a_limit_that_no_runtime_can_watch_ends_failed() {
    let (log, handle) = (Log::default(), Handle::default());
    let (keep, drops) = (handle.clone(), log.clone());
    let mut run = Box::pin(heard(&log).timeout(secs(9)).run(async move |op| {
        keep.keep(&op);
        let _value = drops.note_on_drop("body dropped");
        pending::<()>().await;
    }));
    let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| poll_once(run.as_mut())));
    assert!(panicked.is_err());
    assert_eq!(handle.there().status(), OperationStatus::Failed);
    assert_eq!(
        log.take(),
        ["start running", "body dropped", "error failed"]
    );
    drop(run);
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test]
async fn law_o1_a_panic_anywhere_in_the_body_ends_failed_and_goes_on() {
    let drops_badly = || OnDrop(|| panic!("in drop"));
    let (constructor, in_drop, after_value) = (Log::default(), Log::default(), Log::default());

    let run = heard(&constructor).run(|_| -> std::future::Ready<()> { panic!("in constructor") });
    let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in constructor"));
    assert_eq!(constructor.take(), ["start running", "error failed"]);

    // Cancelled, but its body cannot be dropped in peace.
    let run = heard(&in_drop).run(async |op| {
        let _bad = drops_badly();
        op.cancel();
        pending::<()>().await;
    });
    let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"in drop"));
    assert_eq!(in_drop.take(), ["start running", "error failed"]);

    // A body that has its value, and falls over as it is put away.
    let handle = Handle::default();
    let mut bad = Some(drops_badly());
    let keep = handle.clone();
    let run = heard(&after_value).run(move |op| {
        keep.keep(&op);
        std::future::poll_fn(move |_| {
            assert!(bad.is_some());
            let _ = &mut bad;
            std::task::Poll::Ready(())
        })
    });
    assert!(AssertUnwindSafe(run).catch_unwind().await.is_err());
    assert_eq!(after_value.take(), ["start running", "error failed"]);
    let context = handle.there().context();
    assert_eq!(context.error.as_deref(), Some("panicked: in drop"));
}
