//! What tokens leave behind when they are gone: nothing; and what they take while they live (T6).
//!
//! Bytes are counted on the thread that allocates or frees them, so other tests at the same time do not matter; where two
//! threads take part, the sum of what each counted is looked at.

use std::mem;
use std::sync::mpsc;
use std::task::Waker;
use std::thread;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use cancelable_core::CancellationToken;

use super::support::{Dice, by_profile, on_small_stack, poll_with};

/// Enough to show any growth, each round of which would leave a node.
const ROUNDS: usize = by_profile(100_000, 20_000);

/// What is left of `round` after many of them is what was left after a few.
#[track_caller]
fn leaves_no_trace(rounds: usize, mut round: impl FnMut(usize)) {
    (0..100).for_each(&mut round);
    let used = measure(|| (0..rounds).for_each(&mut round));
    // Slabs and the timer's wheel may still reach the peak of those alive at a time.
    assert!(used.bytes_current < 4096, "{used:?}");
    assert!(used.bytes_max < 65_536, "{used:?}");
}

/// The same of `body` as a whole: not a byte.
#[track_caller]
fn leaves_nothing(body: impl FnOnce()) {
    let used = measure(body);
    assert_eq!((used.bytes_current, used.count_current), (0, 0), "{used:?}");
}

#[test]
fn law_t6_children_made_and_dropped_leave_no_trace() {
    let root = CancellationToken::new();
    // In debug a twentieth of what the law names, which takes as long.
    leaves_no_trace(by_profile(10_000_000, 500_000), |_| {
        drop(root.child_token())
    });
    let mut some = Vec::new();
    let mut dice = Dice::seeded(6);
    leaves_no_trace(ROUNDS, |_| {
        some.push(root.child_token());
        if some.len() > 50 {
            some.swap_remove(dice.below(50));
        }
    });
}

#[test]
fn law_t6_a_line_of_children_keeps_no_ancestor() {
    let mut t = CancellationToken::new();
    leaves_no_trace(ROUNDS, |_| t = t.child_token());
    let root = t.clone();
    leaves_no_trace(ROUNDS, |_| t = t.child_token());

    // A sibling that dies later, a clone that goes last, a registration that does.
    let mut late = Vec::new();
    leaves_no_trace(ROUNDS, |round| {
        let child = t.child_token();
        late.push(mem::replace(&mut t, child).child_token());
        if round % 10 == 9 {
            late.clear();
        }
    });
    leaves_no_trace(ROUNDS, |_| {
        let clone = t.clone();
        t = t.child_token();
        drop(clone);
    });
    leaves_no_trace(ROUNDS, |_| {
        let registration = t.on_cancel(|_| ());
        t = t.child_token();
        drop(registration);
    });
    leaves_no_trace(ROUNDS, |_| {
        let mut wait = t.clone().cancelled_owned();
        assert!(poll_with(&mut wait, Waker::noop()).is_pending());
        t = t.child_token();
    });
    assert!(root.cancel() && t.is_cancelled());
    leaves_no_trace(ROUNDS, |_| t = t.child_token());
}

#[test]
fn law_t6_a_line_keeps_no_ancestor_for_what_is_gone_itself() {
    let root = CancellationToken::new();
    let mut t = root.child_token();
    // A weak handle that is gone brings nobody back.
    leaves_no_trace(ROUNDS, |_| {
        let weak = t.downgrade();
        t = t.child_token();
        drop(weak);
    });
    leaves_no_trace(ROUNDS, |_| {
        drop(t.downgrade().clone());
        t = t.child_token();
    });
    // What is linked to the dead can hear of nobody.
    leaves_no_trace(ROUNDS, |_| {
        let other = CancellationToken::new();
        t.link(&other);
        t = t.child_token();
    });
    leaves_no_trace(ROUNDS, |_| {
        t = CancellationToken::all_of([&t.child_token()]);
        t = root.child_token();
    });
    assert!(root.cancel() && t.is_cancelled());
}

#[test]
fn law_t6_two_threads_that_let_go_at_once_leave_no_trace() {
    let rounds = by_profile(50_000, 10_000);
    let (give, take) = mpsc::sync_channel::<[CancellationToken; 2]>(0);
    let other = thread::spawn(move || measure(|| take.into_iter().for_each(drop)));
    let mut t = CancellationToken::new();
    let used = measure(|| {
        for _ in 0..rounds {
            let next = t.child_token();
            let sibling = t.child_token();
            // Both threads now have a handle of the ancestor, and one has its other child.
            give.send([t.clone(), sibling]).unwrap();
            t = next;
        }
        drop(give);
        // Whatever the two missed is found here, at the latest.
        t = t.child_token().child_token();
    });
    let used = [used, other.join().unwrap()];
    let left: i64 = used
        .iter()
        .map(|used: &AllocationInfo| used.bytes_current)
        .sum();
    assert!(left < 16_384, "{used:?}");
    assert!(!t.is_cancelled());
}

#[test]
fn law_t6_links_leave_no_trace() {
    let long = CancellationToken::new();
    leaves_no_trace(ROUNDS, |_| long.link(&CancellationToken::new()));
    leaves_no_trace(ROUNDS, |_| CancellationToken::new().link(&long));
    leaves_no_trace(ROUNDS, |_| {
        drop(CancellationToken::linked([
            &long,
            &CancellationToken::new(),
        ]))
    });
    leaves_no_trace(ROUNDS, |_| {
        drop(CancellationToken::all_of([
            &long,
            &CancellationToken::new(),
            &long,
        ]))
    });
    let other = CancellationToken::new();
    leaves_no_trace(ROUNDS, |_| {
        long.link(&other);
        other.link(&long);
    });
}

#[test]
fn law_t6_circles_leave_nothing() {
    leaves_nothing(|| {
        for is_cancelled in [false, true] {
            let tokens: Vec<_> = (0..100).map(|_| CancellationToken::new()).collect();
            for (number, token) in tokens.iter().enumerate() {
                token.link(&tokens[(number + 1) % 100]);
                token.link(token);
                token.child_token().link(token);
            }
            let child = tokens[0].child_token();
            tokens[0].link(&child);
            let all = CancellationToken::all_of(&tokens);
            tokens[1].link(&all);
            all.link(&all);
            if is_cancelled {
                tokens[50].cancel();
                assert!(all.is_cancelled() && child.is_cancelled());
            }
        }
    });
}

#[test]
fn law_t6_listeners_and_deadlines_leave_no_trace() {
    let long = CancellationToken::new();
    let captured = [1_u8; 100];
    leaves_no_trace(ROUNDS, |_| {
        drop(long.on_cancel(move |_| {
            std::hint::black_box(captured);
        }))
    });
    leaves_no_trace(ROUNDS, |_| assert!(long.on_cancel(|_| ()).deregister()));
    leaves_no_trace(ROUNDS, |_| {
        let mut waits = [long.cancelled(), long.cancelled(), long.cancelled()];
        for wait in &mut waits {
            assert!(poll_with(wait, Waker::noop()).is_pending());
        }
    });
    leaves_no_trace(ROUNDS, |_| {
        long.child_token().cancel_after(Duration::from_secs(3600))
    });
    leaves_no_trace(ROUNDS, |_| {
        let token = CancellationToken::new();
        token.cancel_after(Duration::from_secs(7200));
        token.cancel_after(Duration::from_secs(3600));
        token.cancel();
    });
    // One token given ever earlier deadlines keeps one.
    leaves_no_trace(ROUNDS, |round| {
        long.cancel_after(Duration::from_secs(10_000_000 - round as u64))
    });
    leaves_nothing(|| {
        let token = CancellationToken::new();
        token.on_cancel(|_| ()).detach();
        token.cancel_with("a message".to_owned());
    });
}

#[test]
fn law_t6_bytes_of_a_root_and_of_a_child() {
    let mut root = None;
    let used = measure(|| root = Some(CancellationToken::new()));
    assert!(used.bytes_current <= 112, "{used:?}");
    let root = root.unwrap();
    const CHILDREN: usize = 100_000;
    let mut children = Vec::with_capacity(CHILDREN);
    let used = measure(|| children.extend((0..CHILDREN).map(|_| root.child_token())));
    // Room for as many entries as there were twice over is what a list that grows may take.
    let list = used.bytes_current - i64::try_from(CHILDREN * 104).unwrap();
    assert!(
        used.bytes_current <= i64::try_from(CHILDREN * 138).unwrap(),
        "{list} {used:?}"
    );
    on_small_stack(move || drop(children));
}
