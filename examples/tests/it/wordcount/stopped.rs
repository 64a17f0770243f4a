//! Stopped early: by the number of lines, by time, by signals.

use std::io::{self, PipeWriter, Write};
use std::process::Command;
use std::thread;

use rustix::process::Signal;

use super::{Sample, frequent, name, run, totals, wordcount};
use crate::child::Running;

/// The example reading from a pipe, into which this was written before, and which stays open as long as its other end.
fn reading(arguments: &[&str], written: &str) -> (Running, PipeWriter) {
    let (input, mut pipe) = io::pipe().expect("pipes are there");
    pipe.write_all(written.as_bytes())
        .expect("a pipe has room for a few lines");
    let mut command = wordcount(arguments);
    command.stdin(input);
    (Running::start(command), pipe)
}

#[test]
fn max_lines_counts_so_many_and_no_more() {
    let sample = Sample::new("one two\none\none\none two three\n");
    for (limit, lines, words, bytes, most_frequent, share) in [
        ("1", "1 line", 2, 8, &[(1, "one"), (1, "two")][..], 26),
        ("2", "2 lines", 3, 12, &[(2, "one"), (1, "two")], 40),
        ("3", "3 lines", 4, 16, &[(3, "one"), (1, "two")], 53),
        // It did not look whether there are more.
        (
            "4",
            "4 lines",
            7,
            30,
            &[(4, "one"), (2, "two"), (1, "three")],
            100,
        ),
    ] {
        let ended = run(&[sample.name(), "--max-lines", limit]);
        let count = limit.parse().expect("a number");
        let reason = "condition: condition 'max-lines' was met";
        assert_eq!(
            ended.output,
            totals(count, words, bytes)
                + &frequent(most_frequent)
                + &format!("\nStopped early: {reason}, after {lines} ({share} %)\n")
        );
        assert_eq!((ended.errors.as_str(), ended.code), ("", Some(3)));
    }
    let ended = run(&[sample.name(), "--max-lines", "5"]);
    assert!(!ended.output.contains("Stopped early"), "{}", ended.output);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn max_lines_waits_for_no_further_line() {
    let (running, _pipe) = reading(&["--max-lines", "2"], "one\ntwo\n");
    let ended = running.end();
    let expected = "\nStopped early: condition: condition 'max-lines' was met, after 2 lines\n";
    assert!(ended.output.ends_with(expected), "{}", ended.output);
    assert_eq!(ended.code, Some(3));
}

#[test]
fn a_timeout_ends_a_wait_for_input() {
    // Part of a line is no line.
    let (running, _pipe) = reading(&["--timeout", "30ms"], "not a whole li");
    let ended = running.end();
    assert_eq!(
        ended.output,
        totals(0, 0, 0) + "\nStopped early: timeout: timed out after 30ms, after 0 lines\n"
    );
    assert_eq!((ended.errors.as_str(), ended.code), ("", Some(3)));
}

#[test]
fn a_timeout_ends_a_wait_for_a_named_pipe_to_open() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("every Unix has mkfifo").success());
    let ended = run(&[name(&pipe), "--timeout", "30ms"]);
    let expected = "\nStopped early: timeout: timed out after 30ms, after 0 lines\n";
    assert!(ended.output.ends_with(expected), "{}", ended.output);
    assert_eq!(ended.code, Some(3));
}

#[test]
fn a_timeout_ends_it_while_input_keeps_coming() {
    let (running, mut pipe) = reading(&["--timeout", "30ms"], "");
    let writer = thread::spawn(move || {
        let lines = "on and on\n".repeat(1000);
        // Until nobody reads any more.
        while pipe.write_all(lines.as_bytes()).is_ok() {}
    });
    let ended = running.end();
    let expected = "\nStopped early: timeout: timed out after 30ms, after ";
    assert!(ended.output.contains(expected), "{}", ended.output);
    assert_eq!(ended.code, Some(3));
    writer.join().expect("it only writes");
}

/// A signal stops it while it waits for input, and it prints what it has.
#[track_caller]
fn check_signal(signal: Signal, message: &str, code: i32) {
    let lines = "one two\nthree\ntwo two\nfour";
    let (mut running, _pipe) = reading(&["--report-every", "3"], lines);
    running.await_line("wordcount: 3 lines");
    running.send(signal);
    let ended = running.end();
    assert_eq!(
        ended.output,
        totals(3, 5, 22)
            + &frequent(&[(3, "two"), (1, "one"), (1, "three")])
            + &format!("\nStopped early: signal: received signal {message}, after 3 lines\n")
    );
    assert_eq!(ended.errors, "wordcount: 3 lines\n");
    assert_eq!(ended.code, Some(code));
}

#[test]
fn signal_interrupt_prints_what_was_counted() {
    check_signal(Signal::INT, "SIGINT (2)", 130);
}

#[test]
fn signal_terminate_prints_what_was_counted() {
    check_signal(Signal::TERM, "SIGTERM (15)", 143);
}
