//! The default action: held back while somebody listens, and back when nobody does.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;

use super::subject::{await_word, deliver, play, play_in, say, say_on};
use crate::signal::{Signal, listen};

/// Listens, says so, and stops when told to.
fn listen_for_a_while(signal: Signal) {
    let listening = say_on(signal, "heard");
    say("ready");
    await_word("stop");
    drop(listening);
    say("stopped");
    await_word("end");
}

#[test]
fn law_s4_signal_interrupt_is_held_back_then_given_back() {
    play(
        law_s4_signal_interrupt_is_held_back_then_given_back,
        || listen_for_a_while(Signal::INTERRUPT),
        |mut subject| {
            subject.expect("ready");
            for _ in 0..3 {
                subject.send(Signal::INTERRUPT);
                subject.expect("heard SIGINT");
            }
            subject.tell("stop");
            subject.expect("stopped");
            subject.send(Signal::INTERRUPT);
            subject.dies_of(Signal::INTERRUPT);
        },
    );
}

#[test]
fn law_s4_signal_terminate_takes_its_default_when_nobody_listens_any_more() {
    play(
        law_s4_signal_terminate_takes_its_default_when_nobody_listens_any_more,
        || listen_for_a_while(Signal::TERMINATE),
        |mut subject| {
            subject.expect("ready");
            subject.tell("stop");
            subject.expect("stopped");
            subject.send(Signal::TERMINATE);
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
fn law_s4_signal_of_which_a_process_dies_shows_in_a_shell() {
    play_in(
        law_s4_signal_of_which_a_process_dies_shows_in_a_shell,
        |program, arguments| {
            let mut shell = Command::new("sh");
            shell
                .args([
                    "-c",
                    r#""$@"; status=$?; echo; echo "> shell $status""#,
                    "sh",
                    program,
                ])
                .args(arguments);
            shell
        },
        || listen_for_a_while(Signal::TERMINATE),
        |mut subject| {
            subject.expect("ready");
            subject.tell("stop");
            subject.expect("stopped");
            subject.send(Signal::TERMINATE);
            subject.expect("shell 143");
            assert!(subject.end().success());
        },
    );
}

#[test]
fn law_s4_signal_takes_its_default_while_another_is_listened_for() {
    play(
        law_s4_signal_takes_its_default_while_another_is_listened_for,
        || {
            drop(say_on(Signal::INTERRUPT, "heard by nobody"));
            listen_for_a_while(Signal::TERMINATE);
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::INTERRUPT);
            subject.dies_of(Signal::INTERRUPT);
        },
    );
}

#[test]
fn law_s4_signal_in_the_grace_ends_the_process() {
    play(
        law_s4_signal_in_the_grace_ends_the_process,
        || {
            let graceful = say_on(Signal::INTERRUPT, "first");
            let other = say_on(Signal::INTERRUPT, "second");
            say("ready");
            await_word("grace");
            graceful.stop_holding_back();
            graceful.stop_holding_back();
            say("one holds it back");
            await_word("grace");
            other.stop_holding_back();
            say("nobody holds it back");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::INTERRUPT);
            subject.expect_all(["first SIGINT", "second SIGINT"]);
            subject.tell("grace");
            subject.expect("one holds it back");
            subject.send(Signal::INTERRUPT);
            subject.expect_all(["first SIGINT", "second SIGINT"]);
            subject.tell("grace");
            subject.expect("nobody holds it back");
            subject.send(Signal::INTERRUPT);
            subject.dies_of(Signal::INTERRUPT);
        },
    );
}

#[test]
fn law_s4_signal_is_held_back_anew_after_it_was_given_back() {
    play(
        law_s4_signal_is_held_back_anew_after_it_was_given_back,
        || {
            for _ in 0..3 {
                let grace = say_on(Signal::TERMINATE, "grace");
                grace.stop_holding_back();
                drop(grace);
            }
            let _listening = say_on(Signal::TERMINATE, "heard");
            say("ready");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::TERMINATE);
            subject.expect("heard SIGTERM");
            subject.lives_on();
        },
    );
}

#[test]
fn law_s4_signal_first_listened_for_by_many_at_once() {
    play(
        law_s4_signal_first_listened_for_by_many_at_once,
        || {
            let together = Arc::new(Barrier::new(8));
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let together = Arc::clone(&together);
                    thread::spawn(move || {
                        together.wait();
                        say_on(Signal::TERMINATE, "heard")
                    })
                })
                .collect();
            let listening: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
            say("ready");
            await_word("stop");
            drop(listening);
            say("stopped");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::TERMINATE);
            subject.expect_all(["heard SIGTERM"; 8]);
            subject.tell("stop");
            subject.expect("stopped");
            subject.send(Signal::TERMINATE);
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
fn signal_that_only_informs_does_nothing_when_nobody_listens() {
    play(
        signal_that_only_informs_does_nothing_when_nobody_listens,
        || listen_for_a_while(Signal::WINDOW_CHANGE),
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::WINDOW_CHANGE);
            subject.expect("heard SIGWINCH");
            subject.tell("stop");
            subject.expect("stopped");
            subject.send(Signal::WINDOW_CHANGE);
            subject.lives_on();
        },
    );
}

/// Listens for a signal of this number, hears it, and meets it again when nobody listens.
#[cfg(target_os = "linux")]
fn hear_then_end(number: i32) {
    let signal = Signal::from_raw(number).expect("Linux has it");
    let listening = say_on(signal, "heard");
    deliver(signal);
    await_word("stop");
    drop(listening);
    deliver(signal);
    say("not reached");
}

#[test]
#[cfg(target_os = "linux")]
fn signal_in_real_time_exits_as_a_shell_would_show_it() {
    play(
        signal_in_real_time_exits_as_a_shell_would_show_it,
        || hear_then_end(40),
        |mut subject| {
            subject.expect("heard SIGRTMIN+6");
            subject.tell("stop");
            assert_eq!(subject.end().code(), Some(128 + 40));
        },
    );
}

#[test]
#[cfg(target_os = "linux")]
fn signal_of_input_exits_as_a_shell_would_show_it() {
    play(
        signal_of_input_exits_as_a_shell_would_show_it,
        || hear_then_end(signal_hook::consts::SIGIO),
        |mut subject| {
            subject.expect("heard SIGIO");
            subject.tell("stop");
            assert_eq!(subject.end().code(), Some(128 + 29));
        },
    );
}

#[test]
fn signal_listening_says_what_it_listens_for() {
    play(
        signal_listening_says_what_it_listens_for,
        || {
            let listening = listen(Signal::USER1, drop).expect("signals are there");
            say(&format!("{listening:?}"));
        },
        |mut subject| {
            subject.expect("Listening(Signal(SIGUSR1))");
            let status = subject.end();
            assert_eq!((status.code(), status.signal()), (Some(0), None));
        },
    );
}
