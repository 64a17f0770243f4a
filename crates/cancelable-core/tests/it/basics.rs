//! Each law in its plainest case, one thread at a time.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use cancelable_core::{Cancellation, CancellationToken, Reason};

#[test]
fn law_t1_first_wins() {
    let token = CancellationToken::new();
    assert_eq!(token.check(), Ok(()));
    assert!(token.cancel_with("first"));
    let why = token.cancellation().unwrap();
    assert!(!token.cancel_with(Reason::Error));
    assert_eq!(token.check(), Err(why.clone()));
    assert_eq!((why.reason(), &*why.message()), (Reason::Manual, "first"));
}

#[test]
fn law_t3_down_never_up() {
    let root = CancellationToken::new();
    let (left, right) = (root.child_token(), root.child_token());
    let below = left.child_token();
    assert!(left.cancel());
    assert!(below.is_cancelled());
    assert!(!root.is_cancelled() && !right.is_cancelled());
}

#[test]
fn law_t4_the_chain_of_causes() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let grandchild = child.child_token();
    root.cancel_with(Cancellation::new(Reason::Shutdown).with_message("night"));
    let why = grandchild.cancellation().unwrap();
    assert_eq!(why.reason(), Reason::Parent);
    assert_eq!(why.cause(), child.cancellation());
    assert_eq!(why.cause().unwrap().cause(), root.cancellation());
    assert_eq!(why.root_cause(), root.cancellation().unwrap());
    assert_eq!(root.cancellation().unwrap().cause(), None);
}

#[test]
fn a_message_is_told_apart_from_one_that_follows() {
    let root = CancellationToken::new();
    let child = root.child_token();
    root.cancel_with(Cancellation::new(Reason::Shutdown).with_message("night"));
    assert_eq!(root.cancellation().unwrap().given_message(), Some("night"));
    let why = child.cancellation().unwrap();
    assert_eq!(why.given_message(), None);
    assert_eq!(why.clone().with_message("so").given_message(), Some("so"));
    assert_eq!(Cancellation::new(Reason::Error).given_message(), None);
}

#[test]
fn all_reasons_have_words_of_their_own() {
    let words: std::collections::HashSet<_> = Reason::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(words.len(), Reason::ALL.len());
    assert!(words.contains(Reason::Dropped.as_str()));
}

#[test]
fn law_t4_all_of_takes_the_last_that_fired() {
    // Made first, and given last.
    let why = Cancellation::manual("the last");
    let [first, parent, last, linked] = [(); 4].map(|()| CancellationToken::new());
    let child = parent.child_token();
    linked.link(&last);
    first.cancel_with("the first");
    parent.cancel_with("the second");
    last.cancel_with(why);
    for members in [[&first, &child, &last], [&linked, &child, &first]] {
        let all = CancellationToken::all_of(members);
        assert_eq!(all.cancellation(), last.cancellation());
    }
    // A child fires with its parent, and one that is born late at its birth.
    let all = CancellationToken::all_of([&child, &first]);
    assert_eq!(all.cancellation(), child.cancellation());
    let late = first.child_token();
    let all = CancellationToken::all_of([&late, &last, &child]);
    assert_eq!(all.cancellation(), late.cancellation());
}

#[test]
fn law_t5_born_late() {
    let root = CancellationToken::new();
    root.cancel_with("done");
    let child = root.child_token();
    assert_eq!(child.cancellation().unwrap().cause(), root.cancellation());
    assert_eq!(
        CancellationToken::linked([&root]).cancellation(),
        root.cancellation()
    );
    let (tell, told) = mpsc::channel();
    root.on_cancel(move |why| tell.send(why.clone()).unwrap())
        .detach();
    assert_eq!(told.try_recv().ok(), root.cancellation());
}

#[test]
fn law_t11_a_deadline_fires_by_itself() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let start = Instant::now();
    let after = Duration::from_millis(15);
    token.cancel_after(after);
    assert!(child.deadline().is_some());
    let why = child.blocking_cancelled();
    assert!(start.elapsed() >= after);
    assert_eq!(why.reason(), Reason::Parent);
    assert_eq!(why.root_cause().reason(), Reason::Timeout);
    assert_eq!(why.root_cause().message(), "timed out after 15ms");
}

#[test]
fn law_t3_a_step_that_is_linked_to_another_is_kept() {
    let (root, other) = (CancellationToken::new(), CancellationToken::new());
    let step = root.child_token();
    let leaf = step.child_token();
    step.link(&other);
    drop(step);
    let below = leaf.child_token();
    other.cancel_with("by the link of a step");
    for token in [&leaf, &below] {
        let why = token.cancellation().unwrap();
        assert_eq!(why.root_cause(), other.cancellation().unwrap());
    }
    assert!(!root.is_cancelled());
}
