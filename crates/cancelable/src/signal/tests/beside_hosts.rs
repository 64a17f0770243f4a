//! What the host did with a signal before stays as it was, and keeps the default action away.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::process::Command;

use tokio::signal::unix::{SignalKind, signal};

use super::subject::{Subject, await_word, play, play_in, say, say_on};
use crate::signal::Signal;

/// Says "host" for each byte that a handler of the host writes to its pipe.
fn say_what_the_host_hears(mut host: UnixStream) {
    std::thread::spawn(move || {
        while host.read(&mut [0]).is_ok_and(|read| read > 0) {
            say("host");
        }
    });
}

/// Listens until told to stop.
fn listen_beside(signal: Signal) {
    say("host is there");
    await_word("listen");
    let listening = say_on(signal, "heard");
    say("ready");
    await_word("stop");
    drop(listening);
    say("stopped");
    await_word("end");
}

/// The host hears the signal before, while and after somebody listens here, and the process lives.
fn host_hears_always(mut subject: Subject, signal: Signal) {
    subject.expect("host is there");
    subject.send(signal);
    subject.expect("host");
    subject.tell("listen");
    subject.expect("ready");
    subject.send(signal);
    subject.expect_all(["host", &format!("heard {}", signal.name())]);
    subject.tell("stop");
    subject.expect("stopped");
    for _ in 0..2 {
        subject.send(signal);
        subject.expect("host");
    }
    subject.lives_on();
}

#[test]
fn law_s4_signal_handler_in_the_same_registry_is_called_as_before() {
    play(
        law_s4_signal_handler_in_the_same_registry_is_called_as_before,
        || {
            let (read, write) = UnixStream::pair().expect("there are files");
            signal_hook::low_level::pipe::register(Signal::TERMINATE.number(), write)
                .expect("signals are there");
            say_what_the_host_hears(read);
            listen_beside(Signal::TERMINATE);
        },
        |subject| host_hears_always(subject, Signal::TERMINATE),
    );
}

#[test]
fn law_s4_signal_handler_of_the_hosts_own_is_called_as_before() {
    play(
        law_s4_signal_handler_of_the_hosts_own_is_called_as_before,
        || {
            // This one goes straight to the system, past the registry.
            ctrlc::set_handler(|| say("host")).expect("signals are there");
            listen_beside(Signal::INTERRUPT);
        },
        |subject| host_hears_always(subject, Signal::INTERRUPT),
    );
}

#[test]
fn law_s4_signal_handler_of_tokio_is_called_as_before() {
    play(
        law_s4_signal_handler_of_tokio_is_called_as_before,
        || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            let mut tokios = {
                let _inside = runtime.enter();
                signal(SignalKind::interrupt()).expect("signals are there")
            };
            runtime.spawn(async move {
                while tokios.recv().await.is_some() {
                    say("host");
                }
            });
            listen_beside(Signal::INTERRUPT);
        },
        |subject| host_hears_always(subject, Signal::INTERRUPT),
    );
}

/// A limit, not a wish: the room's documentation tells what to do.
#[test]
fn signal_handler_that_comes_after_the_first_listening_is_not_seen() {
    play(
        signal_handler_that_comes_after_the_first_listening_is_not_seen,
        || {
            let listening = say_on(Signal::TERMINATE, "heard");
            let (read, write) = UnixStream::pair().expect("there are files");
            signal_hook::low_level::pipe::register(Signal::TERMINATE.number(), write)
                .expect("signals are there");
            say_what_the_host_hears(read);
            say("ready");
            await_word("stop");
            drop(listening);
            say("stopped");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ready");
            subject.send(Signal::TERMINATE);
            subject.expect_all(["host", "heard SIGTERM"]);
            subject.tell("stop");
            subject.expect("stopped");
            subject.send(Signal::TERMINATE);
            subject.dies_of(Signal::TERMINATE);
        },
    );
}

#[test]
fn law_s4_signal_ignored_as_under_nohup_stays_ignored() {
    play_in(
        law_s4_signal_ignored_as_under_nohup_stays_ignored,
        |program, arguments| {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", r#"trap "" HUP; exec "$@""#, "sh", program])
                .args(arguments);
            shell
        },
        || {
            say("ignores");
            await_word("listen");
            let listening = say_on(Signal::HANGUP, "heard");
            say("ready");
            await_word("stop");
            drop(listening);
            say("stopped");
            await_word("end");
        },
        |mut subject| {
            subject.expect("ignores");
            subject.send(Signal::HANGUP);
            subject.tell("listen");
            subject.expect("ready");
            subject.send(Signal::HANGUP);
            subject.expect("heard SIGHUP");
            subject.tell("stop");
            subject.expect("stopped");
            subject.send(Signal::HANGUP);
            subject.lives_on();
        },
    );
}
