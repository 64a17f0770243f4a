//! Who hears which delivery, when the thread is busy, and what callbacks may do.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use super::subject::{Busy, await_word, deliver, play, say, say_on};
use crate::signal::{Signal, listen};

#[test]
fn law_s4_signal_is_heard_by_all_who_listen() {
    play(
        law_s4_signal_is_heard_by_all_who_listen,
        || {
            let first = say_on(Signal::INTERRUPT, "first");
            let _second = say_on(Signal::INTERRUPT, "second");
            let _other = say_on(Signal::TERMINATE, "other");
            say("ready");
            await_word("one less");
            drop(first);
            say("one left");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            for _ in 0..3 {
                subject.send(Signal::INTERRUPT);
                subject.expect("first SIGINT");
                subject.expect("second SIGINT");
            }
            subject.tell("one less");
            subject.expect("one left");
            subject.send(Signal::INTERRUPT);
            subject.expect("second SIGINT");
            subject.send(Signal::TERMINATE);
            subject.expect("other SIGTERM");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_that_came_before_is_not_heard_by_who_comes_after() {
    play(
        signal_that_came_before_is_not_heard_by_who_comes_after,
        || {
            let _early = say_on(Signal::USER1, "early");
            let busy = Busy::new();
            deliver(Signal::USER1);
            let _late = say_on(Signal::USER1, "late");
            busy.free();
            await_word("again");
            deliver(Signal::USER1);
            await_word("end");
        },
        |mut subject| {
            subject.expect("early SIGUSR1");
            subject.tell("again");
            subject.expect("early SIGUSR1");
            subject.expect("late SIGUSR1");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_that_came_while_nobody_listened_is_not_heard() {
    play(
        signal_that_came_while_nobody_listened_is_not_heard,
        || {
            drop(say_on(Signal::WINDOW_CHANGE, "first"));
            let busy = Busy::new();
            deliver(Signal::WINDOW_CHANGE);
            let _late = say_on(Signal::WINDOW_CHANGE, "late");
            busy.free();
            await_word("again");
            say("again");
            deliver(Signal::WINDOW_CHANGE);
            await_word("end");
        },
        |mut subject| {
            subject.tell("again");
            subject.expect("again");
            subject.expect("late SIGWINCH");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_is_not_told_to_who_left_while_others_were_told() {
    play(
        signal_is_not_told_to_who_left_while_others_were_told,
        || {
            let guards = Arc::new(Mutex::new(Vec::new()));
            let theirs = Arc::clone(&guards);
            let first = listen(Signal::USER1, move |_| {
                say("first, and the last");
                // Its own guard is among them.
                theirs.lock().expect("unpoisoned").clear();
            });
            let second = say_on(Signal::USER1, "second");
            guards
                .lock()
                .expect("unpoisoned")
                .extend([first.expect("signals are there"), second]);
            let _third = say_on(Signal::USER1, "third");
            deliver(Signal::USER1);
            await_word("again");
            deliver(Signal::USER1);
            await_word("end");
        },
        |mut subject| {
            subject.expect("first, and the last");
            subject.expect("third SIGUSR1");
            subject.tell("again");
            subject.expect("third SIGUSR1");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_callback_may_panic_and_may_listen() {
    play(
        signal_callback_may_panic_and_may_listen,
        || {
            let _panics =
                listen(Signal::USER1, |_| panic!("as it should")).expect("signals are there");
            let kept = Mutex::new(Vec::new());
            let _listens = listen(Signal::USER1, move |_| {
                kept.lock()
                    .expect("unpoisoned")
                    .push(say_on(Signal::INTERRUPT, "inner"));
                say("listens");
            });
            say("ready");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::USER1);
            subject.expect("listens");
            subject.send(Signal::INTERRUPT);
            subject.expect("inner SIGINT");
            subject.send(Signal::USER1);
            subject.expect("listens");
            subject.send(Signal::INTERRUPT);
            subject.expect("inner SIGINT");
            subject.expect("inner SIGINT");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_callback_is_dropped_outside_the_lock() {
    /// Listens once more when it is dropped, which under the lock would wait for itself.
    struct ListensWhenDropped;
    impl Drop for ListensWhenDropped {
        fn drop(&mut self) {
            drop(say_on(Signal::USER1, "never"));
            say("dropped");
        }
    }
    play(
        signal_callback_is_dropped_outside_the_lock,
        || {
            let held = ListensWhenDropped;
            let listening = listen(Signal::USER1, move |_| {
                let _ = &held;
            });
            drop(listening);
            await_word("end");
        },
        |mut subject| {
            subject.expect("dropped");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_storm_loses_nothing_while_listeners_come_and_go() {
    const ROUNDS: usize = 500;
    play(
        signal_storm_loses_nothing_while_listeners_come_and_go,
        || {
            let (heard, is_heard) = mpsc::channel();
            let _steady = listen(Signal::USER1, move |_| {
                heard.send(()).expect("counted below")
            })
            .expect("signals are there");
            let passers_by: Vec<_> = (0..2)
                .map(|_| {
                    thread::spawn(|| {
                        for _ in 0..ROUNDS {
                            drop(listen(Signal::USER1, drop).expect("signals are there"));
                        }
                    })
                })
                .collect();
            for _ in 0..ROUNDS {
                deliver(Signal::USER1);
                is_heard.recv().expect("the listener is there");
            }
            for thread in passers_by {
                thread.join().expect("it only listens");
            }
            assert!(is_heard.try_recv().is_err(), "one delivery is heard once");
            let open = open_files();
            for _ in 0..ROUNDS {
                drop(listen(Signal::USER1, drop).expect("signals are there"));
            }
            assert_eq!(open_files(), open, "listeners leave nothing behind");
            say("done");
            await_word("end");
        },
        |mut subject| {
            subject.expect("done");
            subject.lives_on();
        },
    );
}

/// How many files this process has open, where the system tells.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
