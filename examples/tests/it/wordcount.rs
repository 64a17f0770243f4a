//! `wordcount`: what it prints and which exit code it has, on good inputs and bad ones, to its end and stopped early.

mod stopped;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

use crate::child::{Ended, Running, with_pipes};
use crate::programs::program;

/// A file with this content, in a folder that goes with the value.
struct Sample {
    path: PathBuf,
    _folder: TempDir,
}

impl Sample {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("there is a place for temporary files");
        let path = folder.path().join("sample.txt");
        fs::write(&path, content).expect("it can be written");
        Self {
            path,
            _folder: folder,
        }
    }

    fn name(&self) -> &str {
        name(&self.path)
    }
}

/// The example with these arguments and no input; what it prints is read by the test.
fn wordcount(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("wordcount"));
    command.args(arguments);
    with_pipes(command)
}

fn name(path: &Path) -> &str {
    path.to_str().expect("paths here are text")
}

fn run(arguments: &[&str]) -> Ended {
    Running::start(wordcount(arguments)).end()
}

/// The numbers of lines, words and bytes, as they are printed.
fn totals(lines: u64, words: u64, bytes: u64) -> String {
    format!("lines {lines:>12}\nwords {words:>12}\nbytes {bytes:>12}\n")
}

/// The most frequent words, as they are printed.
fn frequent(words: &[(u64, &str)]) -> String {
    let mut expected = "\nmost frequent words:\n".to_owned();
    for (times, word) in words {
        expected += &format!("{times:>10}  {word}\n");
    }
    expected
}

/// Counting this input ends well, with this output, from a file and from standard input.
#[track_caller]
fn check(content: impl AsRef<[u8]>, expected: &str) {
    let sample = Sample::new(content);
    let from_file = run(&[sample.name()]);
    let mut command = wordcount(&[]);
    command.stdin(File::open(&sample.path).expect("it was written above"));
    let from_input = Running::start(command).end();
    for ended in [from_file, from_input] {
        assert_eq!(ended.output, expected);
        assert_eq!(ended.errors, "");
        assert_eq!(ended.code, Some(0));
    }
}

#[test]
fn every_line_and_word_is_counted() {
    let one_two = frequent(&[(2, "one"), (1, "two")]);
    check("one two\n\n  one\n", &(totals(3, 3, 15) + &one_two));
    // No line feed at the end, and carriage returns, which are white space.
    check("one two\none", &(totals(2, 3, 11) + &one_two));
    check("one two\r\none\r\n", &(totals(2, 3, 14) + &one_two));
    check("", &totals(0, 0, 0));
    check("\n", &totals(1, 0, 1));
}

#[test]
fn the_ten_most_frequent_words_are_in_order() {
    let expected: Vec<(u64, &str)> = "zz a b c d e f g h i"
        .split(' ')
        .enumerate()
        .map(|(place, word)| (if place == 0 { 2 } else { 1 }, word))
        .collect();
    check(
        "l k j i h g f e d c b a zz zz\n",
        &(totals(1, 14, 30) + &frequent(&expected)),
    );
}

#[test]
fn lines_that_are_not_utf8_are_counted_and_told() {
    let words = frequent(&[(2, "ok"), (1, "caf\u{fffd}"), (1, "\u{fffd}\u{fffd}")]);
    check(
        b"ok caf\xe9\nok\n\xff\xfe\n",
        &(totals(3, 4, 14) + "not UTF-8        2 of the lines\n" + &words),
    );
}

#[test]
fn words_cannot_control_the_terminal() {
    let shown = format!("\u{fffd}[2J{}…", "x".repeat(56));
    check(
        format!("\u{1b}[2J{}\n", "x".repeat(60)),
        &(totals(1, 1, 65) + &frequent(&[(1, &shown)])),
    );
}

#[test]
fn a_line_may_have_many_megabytes() {
    let word = "x".repeat(1 << 20) + " ";
    let shown = "x".repeat(60) + "…";
    check(
        word.repeat(8),
        &(totals(1, 8, 8 * (word.len() as u64)) + &frequent(&[(8, &shown)])),
    );
}

#[test]
fn the_lock_file_is_counted_with_progress() {
    let crates = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    let path = Path::new(&crates).with_file_name("Cargo.lock");
    let content = fs::read_to_string(&path).expect("the workspace has one");
    let lines = content.lines().count() as u64;
    let words = content.split_whitespace().count() as u64;
    let ended = run(&[name(&path), "--report-every", "100"]);
    let expected = totals(lines, words, content.len() as u64);
    assert!(ended.output.starts_with(&expected), "{}", ended.output);
    assert_eq!(ended.errors.lines().count() as u64, lines / 100);
    let read: usize = content.split_inclusive('\n').take(100).map(str::len).sum();
    let share = 100 * read / content.len();
    let first = format!("wordcount: 100 lines, {share} %\n");
    assert!(ended.errors.starts_with(&first), "{}", ended.errors);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_terminal_shows_a_bar_and_then_the_counts_alone() {
    let sample = Sample::new("one two\n");
    let mut screen = File::from(openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pty"));
    grantpt(&screen).expect("it is ours");
    unlockpt(&screen).expect("it is ours");
    let side = ptsname(&screen, Vec::new()).expect("it has another side");
    let side = rustix::fs::open(
        side,
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let mut command = wordcount(&[sample.name(), "--report-every", "1"]);
    command
        .stderr(side.expect("it was unlocked"))
        .env("TERM", "xterm");
    let running = Running::start(command);
    let mut shown = Vec::new();
    // Ends with an error once the child has closed its side.
    let _ = screen.read_to_end(&mut shown);
    let shown = String::from_utf8(shown).expect("it shows text");
    assert!(shown.contains("0 %, 0 lines"), "{shown:?}");
    assert!(shown.ends_with("\r\u{1b}[2K"), "{shown:?}");
    let ended = running.end();
    let words = frequent(&[(1, "one"), (1, "two")]);
    assert_eq!(ended.output, totals(1, 2, 8) + &words);
    assert_eq!(ended.code, Some(0));
}

/// It cannot be read, with this message, and nothing was counted.
#[track_caller]
fn check_unreadable(ended: &Ended, message: &str) {
    assert_eq!(ended.errors, format!("wordcount: {message}\n"));
    assert_eq!(ended.output, "");
    assert_eq!(ended.code, Some(1));
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let missing = folder.path().join("missing.txt");
    check_unreadable(
        &run(&[name(&missing)]),
        &format!(
            "cannot open {}: No such file or directory (os error 2)",
            missing.display()
        ),
    );
    check_unreadable(
        &run(&[name(folder.path())]),
        &format!("cannot open {}: is a directory", folder.path().display()),
    );
    let mut command = wordcount(&["-"]);
    command.stdin(File::open(folder.path()).expect("it is there"));
    check_unreadable(
        &Running::start(command).end(),
        "cannot read line 1 of standard input: Is a directory (os error 21)",
    );
}

#[test]
fn a_line_without_end_is_refused_and_the_lines_before_it_are_counted() {
    let sample = Sample::new("one\ntwo\n");
    let file = File::options().write(true).open(&sample.path);
    // A hole takes no space on the disk.
    let grown = file.and_then(|file| file.set_len(17 << 20));
    grown.expect("it was written above");
    let ended = run(&[sample.name()]);
    let words = frequent(&[(1, "one"), (1, "two")]);
    assert_eq!(ended.output, totals(2, 2, 8) + &words);
    let message = "the line is longer than 16 MiB";
    let path = sample.name();
    assert_eq!(
        ended.errors,
        format!("wordcount: cannot read line 3 of {path}: {message}\n")
    );
    assert_eq!(ended.code, Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_in_the_middle_keeps_what_was_counted() {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let (mut ours, mut theirs) = UnixStream::pair().expect("sockets are there");
    // To close a socket with something unread in it is an error to the other side.
    theirs.write_all(b"unread").expect("it is open");
    ours.write_all(b"one two\nthree").expect("it is open");
    let mut command = wordcount(&["--report-every", "1"]);
    command.stdin(OwnedFd::from(theirs));
    let mut running = Running::start(command);
    running.await_line("wordcount: 1 line");
    drop(ours);
    let ended = running.end();
    let error = "wordcount: cannot read line 2 of standard input: Connection reset by peer (os error 104)\n";
    assert!(ended.errors.ends_with(error), "{}", ended.errors);
    let words = frequent(&[(1, "one"), (1, "two")]);
    assert_eq!(ended.output, totals(1, 2, 8) + &words);
    assert_eq!(ended.code, Some(1));
}

/// Where there is no standard input, Rust's runtime opens an empty one before `main`.
#[test]
fn a_closed_standard_input_is_empty() {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"exec "$0" <&-"#])
        .arg(program("wordcount"));
    let ended = Running::start(with_pipes(shell)).end();
    assert_eq!(ended.output, totals(0, 0, 0));
    assert_eq!((ended.errors.as_str(), ended.code), ("", Some(0)));
}

#[test]
fn who_stops_reading_the_output_has_seen_enough() {
    let sample = Sample::new("one two\n");
    let mut command = wordcount(&[sample.name()]);
    let (unread, output) = std::io::pipe().expect("pipes are there");
    drop(unread);
    command.stdout(output);
    let ended = Running::start(command).end();
    assert_eq!((ended.errors.as_str(), ended.code), ("", Some(0)));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_full_is_told() {
    let sample = Sample::new("one two\n");
    let mut command = wordcount(&[sample.name()]);
    let full = File::options().write(true).open("/dev/full");
    command.stdout(full.expect("Linux has one"));
    check_unreadable(
        &Running::start(command).end(),
        "cannot write the counts: No space left on device (os error 28)",
    );
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for arguments in [
        &["--timeout", "soon"][..],
        &["--timeout"],
        &["--max-lines", "0"],
        &["--max-lines", "-3"],
        &["one", "two"],
        &["--unknown"],
    ] {
        let ended = run(arguments);
        assert!(ended.errors.starts_with("error: "), "{ended:?}");
        assert_eq!((ended.output.as_str(), ended.code), ("", Some(2)));
    }
}

#[test]
fn help_tells_the_exit_codes() {
    let ended = run(&["--help"]);
    for line in [
        "  0         all was read and counted",
        "  2         the arguments make no sense",
        "  3         stopped early by --timeout or --max-lines",
        "  130, 143  stopped early by SIGINT (Ctrl-C), SIGTERM",
    ] {
        assert!(ended.output.contains(line), "{}", ended.output);
    }
    assert_eq!(ended.code, Some(0));
}
