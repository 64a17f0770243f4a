//! Operations on plain threads: O1, O2 and O9 where nothing is polled.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use cancelable::{Cancelable, CancellationToken, Operation, OperationStatus, Reason};

use crate::support::{Log, OnDrop, heard, secs};

fn current() -> Option<String> {
    Operation::current().map(|op| op.name().unwrap_or("nameless").to_owned())
}

fn named(name: &str) -> Cancelable {
    Cancelable::new().name(name)
}

#[test]
fn law_o1_a_guard_ends_its_operation_once() {
    fn check(status: OperationStatus, events: [&str; 2], work: impl FnOnce(cancelable::Entered)) {
        let log = Log::default();
        let entered = heard(&log).enter_blocking();
        assert_eq!(entered.status(), OperationStatus::Running);
        let op = entered.clone();
        let _ = catch_unwind(AssertUnwindSafe(|| work(entered)));
        assert_eq!(op.status(), status);
        assert_eq!(log.take(), events);
        assert!(op.context().end.is_some());
        op.cancel();
        assert_eq!(op.status(), status);
        assert_eq!(current(), None);
    }
    use OperationStatus::{Cancelled, Completed, Failed};
    let completed = ["start running", "complete completed"];
    let cancelled = ["start running", "cancel cancelled"];
    let failed = ["start running", "error failed"];
    check(Completed, completed, drop);
    check(Completed, completed, cancelable::Entered::complete);
    check(Failed, failed, |entered| entered.fail("went wrong"));
    check(Failed, failed, |_entered| panic!("fell over"));
    check(Cancelled, cancelled, |entered| {
        entered.cancel();
        assert_eq!(entered.status(), OperationStatus::Cancelling);
    });
    check(Completed, completed, |entered| {
        entered.cancel();
        entered.complete();
    });
    check(Cancelled, cancelled, |entered| {
        entered.cancel();
        entered.fail("after the ask");
    });
    check(Failed, failed, |entered| {
        entered.cancel();
        panic!("fell over after the ask");
    });
}

#[test]
fn law_o1_a_guard_in_a_destructor_does_not_answer_for_the_panic_around_it() {
    let log = Log::default();
    let plan = heard(&log);
    let mut plan = Some(plan);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _cleanup = OnDrop(|| {
            let entered = plan.take().expect("once").enter_blocking();
            assert_eq!(entered.status(), OperationStatus::Running);
        });
        panic!("the work fell over");
    }));
    assert!(panicked.is_err());
    assert_eq!(log.take(), ["start running", "complete completed"]);
}

#[test]
fn law_o1_a_deadline_needs_no_runtime() {
    let start = Instant::now();
    let entered = Cancelable::new()
        .timeout(std::time::Duration::from_millis(20))
        .enter_blocking();
    assert!(entered.check().is_ok() || start.elapsed().as_millis() >= 20);
    assert!(entered.remaining().unwrap().as_millis() <= 20);
    let why = entered.token().blocking_cancelled();
    assert!(start.elapsed().as_millis() >= 20);
    assert_eq!(why.to_string(), "timed out after 20ms");
    assert_eq!(entered.check().unwrap_err().reason(), Reason::Timeout);
    let op = entered.clone();
    drop(entered);
    assert_eq!(op.status(), OperationStatus::Cancelled);
    assert!(op.context().duration.as_millis() >= 20);
}

#[test]
fn law_o2_a_token_and_an_enclosing_guard_reach_in() {
    let token = CancellationToken::new();
    let outer = Cancelable::new().id("outer").token(&token).enter_blocking();
    let inner = Cancelable::new().enter_blocking();
    let detached = Cancelable::new().detached().enter_blocking();
    assert!(inner.check().is_ok());
    token.cancel_with("closing time");
    assert_eq!(outer.check().unwrap_err().message(), "closing time");
    let why = inner.check().unwrap_err();
    assert_eq!(why.message(), "parent operation outer was cancelled");
    assert!(detached.check().is_ok());
    assert_eq!(inner.context().parent_id.as_deref(), Some("outer"));
}

#[test]
fn law_o2_cancelled_before_its_start_it_is_so_at_once() {
    let token = CancellationToken::new();
    token.cancel();
    let plans = [
        (Reason::Manual, Cancelable::new().token(&token)),
        (Reason::Timeout, Cancelable::new().timeout(secs(0))),
        (Reason::Timeout, Cancelable::new().deadline(Instant::now())),
    ];
    for (reason, plan) in plans {
        let entered = plan.enter_blocking();
        assert_eq!(entered.check().unwrap_err().reason(), reason);
        assert_eq!(entered.status(), OperationStatus::Cancelling);
        let op = entered.clone();
        drop(entered);
        assert_eq!(op.status(), OperationStatus::Cancelled);
    }
}

#[test]
fn law_o2_a_condition_is_refused_by_name_of_the_way_out() {
    let log = Log::default();
    let plan = heard(&log).condition("disk full", secs(1), || false);
    let panic = catch_unwind(AssertUnwindSafe(|| plan.enter_blocking())).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("enter_blocking cannot watch condition 'disk full'"),
        "{text}"
    );
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(current(), None);
}

#[test]
fn law_o9_guards_nest_in_any_order_of_their_ends() {
    assert_eq!(current(), None);
    let one = named("one").enter_blocking();
    let two = named("two").enter_blocking();
    let three = named("three").enter_blocking();
    assert_eq!(current().as_deref(), Some("three"));
    drop(two);
    assert_eq!(current().as_deref(), Some("three"));
    drop(three);
    assert_eq!(current().as_deref(), Some("one"));
    let four = named("four").enter_blocking();
    assert_eq!(four.context().parent_id.as_deref(), Some(one.id()));
    drop(one);
    assert_eq!(current().as_deref(), Some("four"));
    thread::spawn(|| assert_eq!(current(), None))
        .join()
        .unwrap();
    drop(four);
    assert_eq!(current(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn law_o9_on_threads_that_a_runtime_lends() {
    let (told, was_told) = mpsc::channel();
    let run = named("body").run(async move |op| {
        tokio::task::block_in_place(|| {
            assert_eq!(current().as_deref(), Some("body"));
            let entered = named("in place").enter_blocking();
            assert_eq!(current().as_deref(), Some("in place"));
            assert_eq!(entered.context().parent_id.as_deref(), Some(op.id()));
        });
        assert_eq!(current().as_deref(), Some("body"));
        let plan = op.child().name("on the pool");
        tokio::task::spawn_blocking(move || {
            assert_eq!(current(), None);
            let entered = plan.enter_blocking();
            assert_eq!(current().as_deref(), Some("on the pool"));
            entered.token().blocking_cancelled();
            told.send(entered.cancellation().expect("it was woken for that"))
        });
        op.cancel_with("go home");
        pending::<()>().await;
    });
    // It stops at its await; the thread was told, and ends by itself.
    assert!(run.await.is_err());
    assert_eq!(was_told.recv().unwrap().root_cause().message(), "go home");
    assert_eq!(current(), None);
}

#[test]
fn law_o9_no_guard_is_left_behind_by_a_panic() {
    let _around = named("around").enter_blocking();
    let panicked = catch_unwind(|| {
        let _one = named("one").enter_blocking();
        let _two = named("two").enter_blocking();
        panic!("fell over");
    });
    assert!(panicked.is_err());
    assert_eq!(current().as_deref(), Some("around"));
}
