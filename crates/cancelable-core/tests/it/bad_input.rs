//! What nobody should do and somebody will: each case has a defined end, and the token is whole after it.

use std::panic::catch_unwind;
use std::sync::mpsc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use cancelable_core::{Cancellation, CancellationToken, Reason};

use super::support::{Counter, poll_with, waker_fn};

/// Whatever was done to it, it can still be used in every way.
#[track_caller]
fn is_whole(token: &CancellationToken) {
    let child = token.child_token();
    let counter = Counter::new();
    let registration = child.on_cancel({
        let waker = counter.waker();
        move |_| waker.wake()
    });
    let mut wait = child.cancelled();
    let is_early = poll_with(&mut wait, &counter.waker()).is_ready();
    assert_eq!(token.cancel(), !is_early);
    assert!(token.is_cancelled() && child.is_cancelled());
    assert_eq!(counter.wakes(), if is_early { 1 } else { 2 });
    assert!(!registration.deregister());
}

#[test]
fn law_t11_a_timeout_without_an_end_is_none() {
    for endless in [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::MAX - Duration::from_nanos(1),
    ] {
        let token = CancellationToken::new();
        token.cancel_after(endless);
        assert_eq!(token.deadline(), None);
        is_whole(&token);
        assert!(token.blocking_cancelled_timeout(endless).is_some());
    }
}

#[test]
fn law_t11_a_timeout_that_is_over_cancels_at_once() {
    let now: fn(&CancellationToken) = |token| token.cancel_after(Duration::ZERO);
    let past: fn(&CancellationToken) =
        |token| token.cancel_at(Instant::now() - Duration::from_secs(1));
    for over in [now, past] {
        let token = CancellationToken::new();
        let child = token.child_token();
        over(&token);
        assert_eq!(token.cancellation().unwrap().reason(), Reason::Timeout);
        assert_eq!(child.cancellation().unwrap().cause(), token.cancellation());
        is_whole(&token);
    }
    let token = CancellationToken::new();
    assert_eq!(token.blocking_cancelled_timeout(Duration::ZERO), None);
    is_whole(&token);
}

#[test]
fn law_t4_nothing_linked_is_a_plain_token() {
    is_whole(&CancellationToken::linked([]));
    let all = CancellationToken::all_of([]);
    assert_eq!((all.is_cancelled(), all.deadline()), (false, None));
    is_whole(&all);
}

#[test]
fn law_t4_links_to_oneself_and_circles() {
    let token = CancellationToken::new();
    token.link(&token);
    token.link(&token.clone());
    is_whole(&token);

    let [first, second, third] = [(); 3].map(|()| CancellationToken::new());
    for (token, other) in [
        (&first, &second),
        (&second, &third),
        (&third, &first),
        (&third, &first),
    ] {
        token.link(other);
    }
    assert!(second.cancel_with("round and round"));
    for token in [&first, &second, &third] {
        assert_eq!(token.cancellation(), second.cancellation());
        is_whole(token);
    }

    // An ancestor linked to its descendant, and an all-of token to itself.
    let token = CancellationToken::new();
    let below = token.child_token().child_token();
    token.link(&below);
    let all = CancellationToken::all_of([&token, &below]);
    token.link(&all);
    assert!(below.cancel_with("from below"));
    assert_eq!(
        (token.cancellation(), all.cancellation()),
        (below.cancellation(), below.cancellation())
    );
    is_whole(&all);
}

#[test]
fn law_t4_a_member_given_twice_counts_once() {
    let [fired, other] = [(); 2].map(|()| CancellationToken::new());
    let before = CancellationToken::all_of([&fired, &fired, &other, &fired]);
    fired.cancel();
    let after = CancellationToken::all_of([&fired, &fired, &other, &fired]);
    assert!(!before.is_cancelled() && !after.is_cancelled());
    assert!(CancellationToken::all_of([&fired, &fired]).is_cancelled());
    other.cancel_with("the last");
    assert_eq!(
        (before.cancellation(), after.cancellation()),
        (other.cancellation(), other.cancellation())
    );
}

#[test]
fn law_t4_an_all_of_token_whose_member_is_gone_never_fires() {
    let member = CancellationToken::new();
    let all = CancellationToken::all_of([&member, &CancellationToken::new()]);
    member.cancel();
    assert!(!all.is_cancelled());
    is_whole(&all);
}

#[test]
fn law_t8_callbacks_and_wakers_that_panic() {
    let token = CancellationToken::new();
    token.on_cancel(|_| panic!("on purpose")).detach();
    let mut wait = token.cancelled();
    assert!(poll_with(&mut wait, &waker_fn(|| panic!("on purpose"))).is_pending());
    is_whole(&token);
    assert!(poll_with(&mut wait, Waker::noop()).is_ready());
}

#[test]
fn law_t8_a_token_can_be_used_on_the_way_out_of_a_panic() {
    let token = CancellationToken::new();
    token.on_cancel(|_| panic!("on purpose")).detach();
    let guard = token.clone().drop_guard();
    // Nothing has to be asserted of the guard to have it here: a panic leaves every token whole.
    let outer = catch_unwind(move || {
        let _guard = guard;
        panic!("the first of two, on purpose");
    });
    assert!(outer.is_err());
    assert_eq!(token.cancellation().unwrap().reason(), Reason::Dropped);
    is_whole(&token);
}

#[test]
fn law_t1_a_message_of_a_megabyte() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let message = "m".repeat(1 << 20);
    assert!(token.cancel_with(message.clone()));
    assert_eq!(
        child.cancellation().unwrap().root_cause().message(),
        message
    );
    assert!(token.cancellation().unwrap().to_string() == message);
    assert!(format!("{:#}", child.cancellation().unwrap()).ends_with(&message));
    let empty = CancellationToken::new();
    empty.cancel_with("");
    assert_eq!(empty.cancellation().unwrap().message(), "");
}

#[test]
fn law_t1_a_cancel_with_a_cancellation_of_its_own() {
    // Handed from child to parent, it goes round once and no further.
    let token = CancellationToken::new();
    let child = token.child_token();
    child.cancel_with("from below");
    let why = child.cancellation().unwrap();
    token.cancel_with(Cancellation::new(Reason::Error).with_cause(why.clone()));
    assert_eq!(token.cancellation().unwrap().cause(), Some(why.clone()));
    assert_eq!(child.cancellation(), Some(why));
    // What a child shows can be cancelled with, too.
    let shown = token.child_token().cancellation().unwrap();
    let other = CancellationToken::new();
    other.cancel_with(shown.clone());
    assert_eq!(other.cancellation(), Some(shown));
    assert_eq!(
        other
            .child_token()
            .cancellation()
            .unwrap()
            .root_cause()
            .message(),
        "from below"
    );
}

#[test]
fn law_t8_a_cancel_inside_a_callback_of_the_same_token() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let (tell, told) = mpsc::channel();
    for target in [token.clone(), child.clone()] {
        let tell = tell.clone();
        let (again, this) = (token.clone(), target.clone());
        target
            .on_cancel(move |_| tell.send((again.cancel(), this.cancel())).unwrap())
            .detach();
    }
    drop(tell);
    assert!(token.cancel());
    assert_eq!(told.iter().collect::<Vec<_>>(), [(false, false); 2]);
    is_whole(&child);
}

#[test]
fn law_t9_a_blocking_wait_inside_a_callback() {
    let token = CancellationToken::new();
    let (tell, told) = mpsc::channel();
    token
        .on_cancel({
            let child = token.child_token();
            move |_| tell.send(child.blocking_cancelled()).unwrap()
        })
        .detach();
    token.cancel();
    assert_eq!(told.recv().unwrap().cause(), token.cancellation());
}

#[tokio::test]
async fn law_t9_a_blocking_wait_on_the_thread_of_the_runtime() {
    let token = CancellationToken::new();
    let waiting = tokio::spawn({
        let child = token.child_token();
        async move { child.cancelled().await }
    });
    tokio::task::yield_now().await;
    let canceller = thread::spawn({
        let token = token.clone();
        move || token.cancel_with("from a thread")
    });
    assert_eq!(token.blocking_cancelled().message(), "from a thread");
    assert!(canceller.join().unwrap());
    assert_eq!(waiting.await.unwrap().cause(), token.cancellation());
}

#[test]
fn law_t9_a_wait_polled_after_its_end() {
    let token = CancellationToken::new();
    let mut wait = token.cancelled();
    assert!(poll_with(&mut wait, Waker::noop()).is_pending());
    token.cancel();
    for _ in 0..2 {
        assert!(poll_with(&mut wait, Waker::noop()).is_ready());
    }
}
