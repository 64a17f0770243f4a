//! Which of several deadlines counts, in plain cases (T11); random ones are in `deadline_graphs`.

use std::thread;
use std::time::{Duration, Instant};

use cancelable_core::{CancellationToken, Origin, Reason};

use super::deadlines::{HOUR, millis, timed};

#[test]
fn law_t11_a_child_ends_by_its_parents_deadline() {
    let parent = timed(millis(5));
    let child = parent.child_token();
    child.cancel_after(HOUR);
    assert_eq!(child.deadline(), parent.deadline());
    assert!(child.remaining().unwrap() <= millis(5));
    let why = child.blocking_cancelled();
    assert_eq!(
        (why.reason(), why.cause()),
        (Reason::Parent, parent.cancellation())
    );
    assert_eq!(why.cause().unwrap().reason(), Reason::Timeout);

    let parent = timed(HOUR);
    let child = parent.child_token();
    child.cancel_after(millis(5));
    assert!(child.deadline() < parent.deadline());
    assert_eq!(child.blocking_cancelled().reason(), Reason::Timeout);
    assert!(!parent.is_cancelled());
}

/// Armed after the child's, and no timer tells the two apart but by looking closely.
#[test]
fn law_t11_a_child_ends_by_its_parents_deadline_also_in_one_millisecond() {
    let pairs = loop {
        let at = Instant::now() + millis(30);
        let pairs = [(); 50].map(|()| {
            let parent = CancellationToken::new();
            let child = parent.child_token();
            child.cancel_at(at + Duration::from_micros(50));
            parent.cancel_at(at);
            (parent, child)
        });
        // Else the child's may have passed before the parent had one.
        if Instant::now() < at {
            break pairs;
        }
    };
    for (parent, child) in pairs {
        assert_eq!(child.deadline(), parent.deadline());
        let why = child.blocking_cancelled();
        assert_eq!(
            (why.reason(), why.cause()),
            (Reason::Parent, parent.cancellation())
        );
    }
}

#[test]
fn law_t11_of_several_the_earliest_counts() {
    for order in [[millis(4), HOUR], [HOUR, millis(4)]] {
        let token = timed(order[0]);
        token.cancel_after(order[1]);
        assert!(token.remaining().unwrap() <= millis(4));
        assert_eq!(
            token.blocking_cancelled().origin(),
            &Origin::timeout(millis(4))
        );
    }
}

#[test]
fn law_t11_linked_ends_with_the_earliest_and_all_of_with_the_latest() {
    let (early, late, never) = (
        timed(millis(5)),
        timed(millis(10)),
        CancellationToken::new(),
    );
    let linked = CancellationToken::linked([&never, &late, &early]);
    let all = CancellationToken::all_of([&early, &late]);
    let part = CancellationToken::all_of([&early, &never]);
    let nested = CancellationToken::all_of([&CancellationToken::linked([&late]), &early]);
    assert_eq!(linked.deadline(), early.deadline());
    assert_eq!(all.deadline(), late.deadline());
    assert_eq!(part.deadline(), None);
    // The linked one inside was dropped at once, so the outer one waits for ever.
    assert_eq!(nested.deadline(), None);
    let inner = CancellationToken::linked([&late, &never]);
    let nested = CancellationToken::all_of([&inner, &all, &early]);
    assert_eq!(nested.deadline(), late.deadline());
    assert_eq!(linked.blocking_cancelled(), early.cancellation().unwrap());
    assert_eq!(all.blocking_cancelled(), late.cancellation().unwrap());
    assert_eq!(nested.blocking_cancelled(), late.cancellation().unwrap());
    assert!(!part.is_cancelled());
}

#[test]
fn law_t11_a_member_that_fired_is_not_waited_for() {
    let (fired, timed) = (CancellationToken::new(), timed(HOUR));
    let before = CancellationToken::all_of([&fired, &timed]);
    assert_eq!(before.deadline(), None);
    fired.cancel();
    let after = CancellationToken::all_of([&timed, &fired]);
    assert_eq!(
        (before.deadline(), after.deadline()),
        (timed.deadline(), timed.deadline())
    );
}

#[test]
fn law_t11_a_deadline_set_twice_from_two_threads_is_the_earlier() {
    let token = CancellationToken::new();
    let other = thread::spawn({
        let token = token.clone();
        move || token.cancel_after(millis(3))
    });
    token.cancel_after(HOUR);
    other.join().unwrap();
    assert_eq!(
        token.blocking_cancelled().origin(),
        &Origin::timeout(millis(3))
    );
    // A late deadline of a cancelled token changes nothing.
    token.cancel_after(Duration::ZERO);
    assert_eq!(
        token.cancellation().unwrap().origin(),
        &Origin::timeout(millis(3))
    );
}

#[test]
fn law_t11_a_deadline_that_has_passed_stays_a_fact() {
    let token = timed(millis(2));
    let deadline = token.deadline();
    let child = token.child_token();
    token.blocking_cancelled();
    assert_eq!(
        (token.deadline(), token.remaining()),
        (deadline, Some(Duration::ZERO))
    );
    assert_eq!(child.remaining(), Some(Duration::ZERO));
}

#[test]
fn law_t11_a_deadline_that_had_passed_when_it_was_set_is_one() {
    let zero = timed(Duration::ZERO);
    let past = CancellationToken::new();
    let at = Instant::now() - millis(1);
    // The later one goes, and its timer with it.
    past.cancel_after(HOUR);
    past.cancel_at(at);
    assert_eq!(
        (past.deadline(), zero.remaining()),
        (Some(at), Some(Duration::ZERO))
    );
    assert_eq!(past.child_token().deadline(), Some(at));
    // It cancelled the token, and so comes no earlier one.
    past.cancel_at(at - millis(1));
    assert_eq!(past.deadline(), Some(at));
}

#[test]
fn law_t11_whoever_is_born_late_has_the_deadline_that_passed() {
    for after in [millis(2), HOUR] {
        let token = timed(after);
        let deadline = token.deadline();
        let early = token.child_token();
        if after == HOUR {
            early.cancel();
            assert!(token.cancel());
        }
        token.blocking_cancelled();
        let child = token.child_token();
        let below_early = early.child_token();
        for late in [
            child.child_token(),
            child.child_token().child_token(),
            CancellationToken::linked([&token]),
            CancellationToken::all_of([&token]),
            CancellationToken::linked([&child]).child_token(),
            below_early,
        ] {
            assert!(late.is_cancelled());
            assert_eq!(late.deadline(), deadline);
        }
        drop(token);
        assert_eq!(child.deadline(), deadline, "its parent is kept");
    }
    // The nearest above counts too, and not only what that hangs at.
    let root = CancellationToken::new();
    let middle = root.child_token();
    middle.cancel_after(Duration::ZERO);
    assert!(middle.deadline().is_some());
    assert_eq!(middle.child_token().deadline(), middle.deadline());
}

#[test]
fn law_t11_an_all_of_token_keeps_the_deadline_of_the_member_that_fired_last() {
    let (by_hand, early, late) = (timed(HOUR), timed(millis(3)), timed(millis(6)));
    let members = [&late, &by_hand, &early];
    let all = CancellationToken::all_of(members);
    by_hand.cancel();
    all.blocking_cancelled();
    let after = CancellationToken::all_of(members);
    let nested = CancellationToken::all_of([&early, &all]);
    for all in [all.clone(), after, nested, all.child_token()] {
        assert_eq!(all.deadline(), late.deadline());
    }
    // One that was cancelled by itself waits for its members as before.
    let (first, second) = (timed(HOUR), timed(HOUR / 2));
    let all = CancellationToken::all_of([&first, &second]);
    all.cancel();
    assert_eq!(all.deadline(), first.deadline());
    second.cancel();
    assert_eq!(all.deadline(), first.deadline());
}
