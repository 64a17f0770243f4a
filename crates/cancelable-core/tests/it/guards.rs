//! Guards that cancel as they are dropped.

use cancelable_core::{CancellationToken, Reason};

#[test]
fn a_guard_cancels_as_it_is_dropped_and_says_so() {
    let token = CancellationToken::new();
    let guard = token.clone().drop_guard();
    assert!(!token.is_cancelled());
    drop(guard);
    let why = token.cancellation().expect("its guard was dropped");
    assert_eq!(why.reason(), Reason::Dropped);
    assert_eq!(why.message(), "dropped before it ended");
}

#[test]
fn a_guard_that_is_disarmed_gives_its_token_back() {
    let token = CancellationToken::new();
    let same = token.clone().drop_guard().disarm();
    assert!(!token.is_cancelled());
    same.cancel_with("it is the same token");
    assert!(token.is_cancelled());
}

#[test]
fn a_guard_leaves_an_earlier_reason() {
    let token = CancellationToken::new();
    let guard = token.clone().drop_guard();
    token.cancel_with("before");
    drop(guard);
    let why = token.cancellation().expect("cancelled");
    assert_eq!(why.message(), "before");
}

#[test]
fn a_guard_may_borrow_its_token() {
    let token = CancellationToken::new();
    let same = token.drop_guard_ref().disarm();
    assert!(!same.is_cancelled());
    drop(token.drop_guard_ref());
    let why = token.cancellation().expect("its guard was dropped");
    assert_eq!(why.reason(), Reason::Dropped);
}
