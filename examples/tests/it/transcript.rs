//! What the header of an example promises, and whether the example keeps it.
//!
//! A transcript is a block of `text` in the header that reads like a terminal. The first line is the command. `^C` is pressed
//! once all above it has been printed. `$ echo $?` and a number tell the exit code, which is 0 where that is not asked. Any
//! other line is printed, by whichever of the two outputs; `…` in it stands for something.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::child::Running;
use crate::programs::program;

/// The comment that an example opens with.
pub(crate) fn header(example: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{example}.rs"));
    let source = fs::read_to_string(path).expect("the example is there");
    let comment = source.lines().map_while(|line| line.strip_prefix("//!"));
    comment.fold(String::new(), |header, line| {
        header + line.strip_prefix(' ').unwrap_or(line) + "\n"
    })
}

/// The transcripts in a header.
pub(crate) fn transcripts(header: &str) -> Vec<&str> {
    let blocks = header.split("```text\n").skip(1);
    blocks
        .map(|block| block.split_once("```").expect("the block has an end").0)
        .collect()
}

/// Runs the example, and compares. Where the transcript says `^C`, it is sent `signal`.
#[track_caller]
pub(crate) fn check(example: &str, transcript: &str, signal: Signal) {
    let (session, code) = match transcript.split_once("$ echo $?\n") {
        Some((session, code)) => (session, code.trim_end().parse().expect("a number")),
        None => (transcript, 0),
    };
    let mut lines = session.lines();
    let mut running = Running::start_as_on_a_terminal(command(example, lines.next()));
    for line in lines {
        if line == "^C" {
            running.send(signal);
            continue;
        }
        let said = running.next_line();
        assert!(
            said.is_some_and(|said| is_like(said, line)),
            "{example} is to print {line:?}, and prints {said:?}"
        );
    }
    let more = running.next_line();
    assert_eq!(more, None, "{example} is to print no more");
    let ended = running.end();
    // What a shell makes of a process that a signal has ended.
    let shown = ended.code.or(ended.signal.map(|number| 128 + number));
    assert_eq!(shown, Some(code), "{example} ends with this exit code");
}

/// What the first line of a transcript runs.
fn command(example: &str, line: Option<&str>) -> Command {
    let start = format!("$ cargo run --example {example}");
    let arguments = line.and_then(|line| line.strip_prefix(&start));
    let arguments = arguments.unwrap_or_else(|| panic!("a transcript begins with {start:?}"));
    let arguments = arguments.strip_prefix(" --").unwrap_or(arguments);
    let mut command = Command::new(program(example));
    command.args(arguments.split_whitespace());
    command
}

fn is_like(said: &str, line: &str) -> bool {
    match line.split_once('…') {
        None => said == line,
        Some((before, after)) => said
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|between| !between.is_empty()),
    }
}
