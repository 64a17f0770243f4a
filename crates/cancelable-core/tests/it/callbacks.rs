//! Callbacks: their order, their panics, what they may do, and what becomes of what they captured (T5, T8).

use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use cancelable_core::{CancellationToken, Marked, Reason};

use super::support::{Counter, OnDrop, by_profile, poll_with};

#[test]
fn law_t8_callbacks_run_in_order_on_the_cancelling_thread_after_the_wakes() {
    let token = CancellationToken::new();
    let counter = Counter::new();
    let mut wait = token.cancelled();
    assert!(poll_with(&mut wait, &counter.waker()).is_pending());
    let (tell, told) = mpsc::channel();
    let mut registrations: Vec<_> = (0..20)
        .map(|number| {
            let (tell, counter) = (tell.clone(), Arc::clone(&counter));
            token.on_cancel(move |why| {
                let seen = (
                    number,
                    thread::current().id(),
                    why.reason(),
                    counter.wakes(),
                );
                tell.send(seen).unwrap();
            })
        })
        .collect();
    for at in [11, 3, 0] {
        assert!(registrations.remove(at).deregister());
    }
    let canceller = thread::spawn({
        let token = token.clone();
        move || token.cancel_with(Reason::Shutdown)
    });
    let id = canceller.thread().id();
    assert!(canceller.join().unwrap());
    drop(tell);
    let expected: Vec<_> = (0..20)
        .filter(|number| ![11, 3, 0].contains(number))
        .map(|number| (number, id, Reason::Shutdown, 1))
        .collect();
    assert_eq!(told.try_iter().collect::<Vec<_>>(), expected);
    assert!(
        registrations
            .into_iter()
            .all(|registration| !registration.deregister())
    );
}

#[test]
fn law_t3_of_tokens_that_are_marked_as_one_whoever_is_told_finds_all_cancelled() {
    let tokens = [(); 3].map(|()| CancellationToken::new());
    let counter = Counter::new();
    let mut waits: Vec<_> = tokens.iter().map(CancellationToken::cancelled).collect();
    for wait in &mut waits {
        assert!(poll_with(wait, &counter.waker()).is_pending());
    }
    let (tell, told) = mpsc::channel();
    for (number, token) in tokens.iter().enumerate() {
        let (tell, counter) = (tell.clone(), Arc::clone(&counter));
        let below = tokens.each_ref().map(CancellationToken::child_token);
        let callback = move |_: &_| {
            let cancelled = below.iter().filter(|token| token.is_cancelled());
            tell.send((number, cancelled.count(), counter.wakes()))
                .unwrap();
        };
        token.on_cancel(callback).detach();
    }
    assert!(tokens[2].cancel_with("before") && told.try_recv() == Ok((2, 1, 1)));

    let mut marked = Marked::new();
    assert!(marked.mark(&tokens[1], Reason::Shutdown));
    assert!(marked.mark(&tokens[0], Reason::Shutdown));
    assert!(!marked.mark(&tokens[2], Reason::Shutdown));
    assert!(tokens.iter().all(CancellationToken::is_cancelled));
    assert!(told.try_recv().is_err() && counter.wakes() == 1);
    // As `tell` does.
    drop(marked);
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, [(1, 3, 3), (0, 3, 3)]);
}

#[test]
fn law_t8_one_that_panics_stops_nobody() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let calls = Counter::new();
    let count = || {
        let waker = calls.waker();
        move |_: &_| waker.wake()
    };
    token.on_cancel(|_| panic!("on purpose")).detach();
    token.on_cancel(count()).detach();
    // A payload that panics as it is dropped, and a capture that does.
    token
        .on_cancel(|_| panic_any(OnDrop(|| panic!("on purpose"))))
        .detach();
    let capture = OnDrop(|| panic!("on purpose"));
    token.on_cancel(move |_| drop(capture)).detach();
    child.on_cancel(|_| panic!("on purpose")).detach();
    child.on_cancel(count()).detach();
    assert!(token.cancel());
    assert!(token.is_cancelled() && child.is_cancelled());
    assert_eq!(calls.wakes(), 2);
    // One that is late panics no further either.
    token.on_cancel(|_| panic!("on purpose")).detach();
}

#[test]
fn law_t8_a_callback_may_do_anything() {
    let token = CancellationToken::new();
    let done = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let done = Arc::clone(&done);
        move || done.lock().unwrap().push(what)
    };
    let later = token.on_cancel({
        let note = note("the second");
        move |_| note()
    });
    let first = CancellationToken::new();
    // The first to be called belongs to a token that is marked first.
    let second = first.child_token();
    second.link(&token);
    first
        .on_cancel({
            let (token, note, late) = (token.clone(), note("the first"), note("late"));
            let later = Mutex::new(Some(later));
            move |why| {
                assert!(token.cancel_with(why.clone()), "the first to");
                assert!(!token.cancel());
                assert!(token.child_token().is_cancelled());
                token.on_cancel(move |_| late()).detach();
                let later = later.lock().unwrap().take().unwrap();
                assert!(!later.deregister(), "it has run");
                token.link(&CancellationToken::linked([&token]));
                token.cancel_after(std::time::Duration::ZERO);
                drop(token);
                note();
            }
        })
        .detach();
    drop(token);
    assert!(first.cancel());
    assert_eq!(*done.lock().unwrap(), ["the second", "late", "the first"]);
}

#[test]
fn law_t8_a_callback_may_deregister_the_next_but_is_too_late() {
    let token = CancellationToken::new();
    let next = Arc::new(Mutex::new(None));
    let was_in_time = Arc::new(Mutex::new(None));
    token
        .on_cancel({
            let (next, was_in_time) = (Arc::clone(&next), Arc::clone(&was_in_time));
            move |_| {
                let next: cancelable_core::Registration = next.lock().unwrap().take().unwrap();
                *was_in_time.lock().unwrap() = Some(next.deregister());
            }
        })
        .detach();
    let calls = Counter::new();
    *next.lock().unwrap() = Some(token.on_cancel({
        let waker = calls.waker();
        move |_| waker.wake()
    }));
    assert!(token.cancel());
    assert_eq!(
        (*was_in_time.lock().unwrap(), calls.wakes()),
        (Some(false), 1)
    );
}

#[test]
fn law_t8_deregister_tells_the_truth_under_threads() {
    let rounds = by_profile(20_000, 2_000);
    let barrier = Arc::new(Barrier::new(2));
    let (give, take) = mpsc::channel::<CancellationToken>();
    let canceller = thread::spawn({
        let barrier = Arc::clone(&barrier);
        move || {
            for token in take {
                barrier.wait();
                token.cancel();
                barrier.wait();
            }
        }
    });
    for _ in 0..rounds {
        let token = CancellationToken::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let registration = token.on_cancel({
            let calls = Arc::clone(&calls);
            move |_| {
                calls.fetch_add(1, Ordering::SeqCst);
            }
        });
        give.send(token).unwrap();
        barrier.wait();
        let was_in_time = registration.deregister();
        let before = calls.load(Ordering::SeqCst);
        barrier.wait();
        assert_eq!(calls.load(Ordering::SeqCst), usize::from(!was_in_time));
        assert!(!was_in_time || before == 0);
    }
    drop(give);
    canceller.join().unwrap();
}

#[test]
fn law_t8_dropping_a_registration_waits_for_nothing() {
    let token = CancellationToken::new();
    let (running, is_running) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let registration = token.on_cancel(move |_| {
        running.send(()).unwrap();
        may_go_on.recv().unwrap();
    });
    let canceller = thread::spawn(move || token.cancel());
    is_running.recv().unwrap();
    // Were this to wait for the callback, it would wait for ever.
    drop(registration);
    go_on.send(()).unwrap();
    assert!(canceller.join().unwrap());
}

/// A value whose drop does to the token whatever needs its locks, and counts.
fn meddler(
    token: &CancellationToken,
    parent: &CancellationToken,
    drops: &Arc<AtomicUsize>,
) -> impl Send + use<> {
    let (weak, parent, drops) = (token.downgrade(), parent.clone(), Arc::clone(drops));
    OnDrop(move || {
        for token in weak.upgrade().iter().chain([&parent]) {
            let child = token.child_token();
            token.on_cancel(|_| ()).detach();
            let _ = poll_with(&mut token.cancelled(), std::task::Waker::noop());
            child.link(&parent);
            let _ = (token.cancellation(), token.deadline());
            child.cancel();
        }
        parent.cancel();
        drops.fetch_add(1, Ordering::SeqCst);
    })
}

#[test]
fn law_t8_what_a_callback_captured_is_dropped_once_and_outside_the_locks() {
    type End = fn(CancellationToken, cancelable_core::Registration);
    let ends: [End; 6] = [
        |token, registration| {
            token.cancel();
            drop(registration);
        },
        |_token, registration| drop(registration),
        |token, registration| {
            drop(token);
            drop(registration);
        },
        |_token, registration| assert!(registration.deregister()),
        |token, registration| {
            registration.detach();
            drop(token);
        },
        |token, registration| {
            // A million deep is for another place; here the token only goes with its last descendant.
            let below = token.child_token().child_token();
            registration.detach();
            drop(token);
            drop(below);
        },
    ];
    for end in ends {
        let parent = CancellationToken::new();
        let token = parent.child_token();
        let drops = Arc::new(AtomicUsize::new(0));
        let captured = meddler(&token, &parent, &drops);
        let registration = token.on_cancel(move |_| drop(captured));
        end(token, registration);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert!(parent.is_cancelled());
    }
}

#[test]
fn law_t5_a_late_callback_runs_at_once() {
    let token = CancellationToken::new();
    token.cancel_with("early");
    let here = thread::current().id();
    let (tell, told) = mpsc::channel();
    let registration = token.on_cancel(move |why| {
        tell.send((thread::current().id(), why.message().into_owned()))
            .unwrap()
    });
    assert_eq!(told.try_recv(), Ok((here, "early".to_owned())));
    assert!(!registration.deregister());
}

#[test]
fn law_t8_a_cancel_from_under_a_lock_calls_on_a_thread_beside() {
    let token = CancellationToken::new();
    let counter = Counter::new();
    let mut wait = token.cancelled();
    assert!(poll_with(&mut wait, &counter.waker()).is_pending());
    let (tell, told) = mpsc::channel();
    let here = thread::current().id();
    token
        .on_cancel(move |why| {
            tell.send((why.clone(), thread::current().id())).unwrap();
        })
        .detach();
    assert!(token.downgrade().cancel_aside("aside"));
    assert_eq!(counter.wakes(), 1, "woken before it returns");
    let (why, thread) = told.recv().unwrap();
    assert_eq!(Some(why), token.cancellation());
    assert_ne!(thread, here);
    assert!(!token.downgrade().cancel_aside("again"));
}

#[test]
fn a_registration_shows_whether_it_is_pending() {
    let token = CancellationToken::new();
    let registration = token.on_cancel(|_| ());
    assert_eq!(
        format!("{registration:?}"),
        "Registration { is_pending: true }"
    );
    token.cancel();
    for registration in [registration, token.on_cancel(|_| ())] {
        assert_eq!(
            format!("{registration:?}"),
            "Registration { is_pending: false }"
        );
    }
}
