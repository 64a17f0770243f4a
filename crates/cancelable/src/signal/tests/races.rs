//! Signals that come at the worst moment, and a thread that is busy, deaf or, after a fork, not there.

use std::process;
use std::sync::{Arc, Mutex};

use super::super::board::Board;
use super::super::line::Line;
use super::subject::{Busy, await_word, deliver, play, say, say_on};
use crate::signal::listening::after_fork;
use crate::signal::{Listening, Signal, listen};

#[test]
fn signal_that_comes_while_its_handlers_are_installed_takes_its_default() {
    play(
        signal_that_comes_while_its_handlers_are_installed_takes_its_default,
        || {
            Line::of(Signal::TERMINATE)
                .hook(Signal::TERMINATE)
                .expect("signals are there");
            deliver(Signal::TERMINATE);
            say("not reached");
        },
        |subject| subject.dies_of(Signal::TERMINATE),
    );
}

#[test]
fn signal_whose_handler_was_late_for_the_last_listener_takes_its_default() {
    play(
        signal_whose_handler_was_late_for_the_last_listener_takes_its_default,
        || {
            let _wakes_the_thread = listen(Signal::USER1, drop).expect("signals are there");
            drop(say_on(Signal::TERMINATE, "heard"));
            Line::of(Signal::TERMINATE).arrive();
            deliver(Signal::USER1);
            await_word("end");
        },
        |subject| subject.dies_of(Signal::TERMINATE),
    );
}

#[test]
fn signal_whose_only_listener_left_before_it_was_told_takes_its_default() {
    play(
        signal_whose_only_listener_left_before_it_was_told_takes_its_default,
        || {
            let listening = say_on(Signal::TERMINATE, "heard");
            let busy = Busy::new();
            deliver(Signal::TERMINATE);
            drop(listening);
            say("left");
            busy.free();
            await_word("end");
        },
        |mut subject| {
            subject.expect("left");
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
#[cfg(target_os = "linux")]
fn signal_in_real_time_whose_listener_left_before_it_was_told_exits() {
    play(
        signal_in_real_time_whose_listener_left_before_it_was_told_exits,
        || {
            let signal = Signal::from_raw(40).expect("Linux has it");
            let listening = say_on(signal, "heard");
            let busy = Busy::new();
            deliver(signal);
            drop(listening);
            say("left");
            busy.free();
            await_word("end");
        },
        |mut subject| {
            subject.expect("left");
            assert_eq!(subject.end().code(), Some(128 + 40));
        },
    );
}

/// The only listener leaves between a delivery and its telling, and another comes.
fn leave_to_the_next(signal: Signal) {
    let listening = say_on(signal, "heard");
    let busy = Busy::new();
    deliver(signal);
    drop(listening);
    let _next = say_on(signal, "next");
    busy.free();
    await_word("end");
}

#[test]
fn signal_whose_only_listener_left_before_it_was_told_passes_to_who_came_since() {
    play(
        signal_whose_only_listener_left_before_it_was_told_passes_to_who_came_since,
        || leave_to_the_next(Signal::TERMINATE),
        |mut subject| {
            subject.expect("next SIGTERM");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_that_only_informs_passes_to_who_came_since_too() {
    play(
        signal_that_only_informs_passes_to_who_came_since_too,
        || leave_to_the_next(Signal::WINDOW_CHANGE),
        |mut subject| {
            subject.expect("next SIGWINCH");
            subject.lives_on();
        },
    );
}

#[test]
fn signal_that_came_again_before_the_grace_began_ends_the_process() {
    play(
        signal_that_came_again_before_the_grace_began_ends_the_process,
        || {
            let grace = Arc::new(Mutex::new(None::<Listening>));
            let own = Arc::clone(&grace);
            let listening = listen(Signal::TERMINATE, move |_| {
                say("asked");
                deliver(Signal::TERMINATE);
                own.lock()
                    .expect("unpoisoned")
                    .as_ref()
                    .expect("set")
                    .stop_holding_back();
            });
            *grace.lock().expect("unpoisoned") = Some(listening.expect("signals are there"));
            deliver(Signal::TERMINATE);
            await_word("end");
        },
        |mut subject| {
            subject.expect("asked");
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
fn signal_that_begins_the_grace_of_all_is_heard_by_all() {
    play(
        signal_that_begins_the_grace_of_all_is_heard_by_all,
        || {
            let graces = Arc::new(Mutex::new(Vec::<Listening>::new()));
            let all = Arc::clone(&graces);
            let first = listen(Signal::TERMINATE, move |_| {
                all.lock()
                    .expect("unpoisoned")
                    .iter()
                    .for_each(Listening::stop_holding_back);
                say("first");
            });
            let second = say_on(Signal::TERMINATE, "second");
            graces
                .lock()
                .expect("unpoisoned")
                .extend([first.expect("signals are there"), second]);
            deliver(Signal::TERMINATE);
            await_word("end");
        },
        |mut subject| {
            subject.expect("first");
            subject.expect("second SIGTERM");
            subject.send(Signal::TERMINATE);
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
fn law_s4_signal_takes_its_default_even_while_a_callback_is_stuck() {
    play(
        law_s4_signal_takes_its_default_even_while_a_callback_is_stuck,
        || {
            let listening = say_on(Signal::TERMINATE, "heard");
            let _busy = Busy::new();
            drop(listening);
            say("stuck");
            await_word("end");
        },
        |mut subject| {
            subject.expect("stuck");
            subject.send(Signal::TERMINATE);
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
fn signal_pipe_that_breaks_gives_the_default_back_and_is_made_anew() {
    play(
        signal_pipe_that_breaks_gives_the_default_back_and_is_made_anew,
        || {
            let _old = say_on(Signal::TERMINATE, "old");
            Board::current().break_pipe();
            let new = say_on(Signal::TERMINATE, "new");
            say("ready");
            await_word("break");
            drop(new);
            Board::current().break_pipe();
            say("broken");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::TERMINATE);
            subject.expect("old SIGTERM");
            subject.expect("new SIGTERM");
            subject.tell("break");
            subject.expect("broken");
            subject.send(Signal::TERMINATE);
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
fn law_p7_signal_takes_its_default_in_a_forked_child() {
    play(
        law_p7_signal_takes_its_default_in_a_forked_child,
        || {
            let _inherited = say_on(Signal::TERMINATE, "heard");
            after_fork();
            say("ready");
            await_word("fork");
            // What a forked child finds: the board is that of a process with another number.
            Line::of(Signal::TERMINATE).arrive();
            Board::current().of(process::id() + 1);
            assert!(
                !Line::of(Signal::TERMINATE).take_arrival(),
                "that was the parent's"
            );
            say("forked");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::TERMINATE);
            subject.expect("heard SIGTERM");
            subject.tell("fork");
            subject.expect("forked");
            subject.send(Signal::TERMINATE);
            subject.dies_of(Signal::TERMINATE);
        },
    );
}
