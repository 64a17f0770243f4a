//! A child process that runs one scenario, and the words that it and the test exchange.
//!
//! A test calls [`play`] with what the child does and what the test does with the child. The child is this very test
//! binary, running that one test. It says words on its output, the test answers on its input, and both wait for nothing
//! else. A child that is not done after 20 s is killed, with what it started, so that whoever waits for a word finds
//! the end of its output.

use std::any::type_name_of_val;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, process};

use rustix::process::{Pid, kill_process, kill_process_group};

use crate::signal::{Listening, Signal, listen};

/// Runs `child` in a child process and `test` here. `of` is the test function that calls this.
pub(super) fn play<T>(of: T, child: impl FnOnce(), test: impl FnOnce(Subject)) {
    play_in(of, direct, child, test);
}

/// The same, with the child started as `command` says.
pub(super) fn play_in<T>(
    of: T,
    command: impl FnOnce(&str, &[&str]) -> Command,
    child: impl FnOnce(),
    test: impl FnOnce(Subject),
) {
    if env::var_os(IN_CHILD).is_some() {
        say(&format!("process {}", process::id()));
        child();
        return;
    }
    let path = type_name_of_val(&of);
    let (_, name) = path.split_once("::").expect("a test lies in a crate");
    let program = env::current_exe().expect("a test knows its program");
    let program = program.to_str().expect("paths here are text");
    let command = command(
        program,
        &["--exact", name, "--nocapture", "--test-threads=1"],
    );
    test(Subject::start(command));
}

fn direct(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// In the child: tells the test a word.
pub(super) fn say(word: &str) {
    // The line break before it parts the word from what the test runner prints without one.
    let mut output = io::stdout().lock();
    write!(output, "\n{MARK}{word}\n").expect("the test reads");
    output.flush().expect("the test reads");
}

/// In the child: waits until the test has said this word.
pub(super) fn await_word(word: &str) {
    let mut line = String::new();
    io::stdin().read_line(&mut line).expect("the test writes");
    assert_eq!(line.trim_end(), word);
}

/// In the child: listens, and says the word and the signal at each delivery.
pub(super) fn say_on(signal: Signal, word: &'static str) -> Listening {
    listen(signal, move |heard| {
        say(&format!("{word} {}", heard.name()))
    })
    .expect("signals are there")
}

/// In the child: raises a signal in this process. Its handler has run when this returns, whether or not listeners have
/// been told.
pub(super) fn deliver(signal: Signal) {
    signal_hook::low_level::raise(signal.number()).expect("a signal can be raised");
}

/// In the child: holds the thread of signals in a callback, until `free` is told to.
pub(super) struct Busy {
    go_on: Sender<()>,
    _listening: Listening,
}

impl Busy {
    pub(super) fn new() -> Self {
        let (started, has_started) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let may_go_on: Mutex<Receiver<()>> = Mutex::new(may_go_on);
        let listening = listen(Signal::USER2, move |_| {
            started.send(()).expect("awaited below");
            let _ = may_go_on.lock().expect("one thread calls").recv();
        })
        .expect("signals are there");
        deliver(Signal::USER2);
        has_started.recv().expect("the callback was called");
        Self {
            go_on,
            _listening: listening,
        }
    }

    pub(super) fn free(&self) {
        self.go_on.send(()).expect("the callback waits");
    }
}

/// The child, as the test sees it.
pub(super) struct Subject {
    child: Child,
    process: Pid,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    heard: Vec<String>,
    watchdog: JoinHandle<()>,
    done: Sender<()>,
}

impl Subject {
    /// Waits until the child says this, which must be the next thing that it says.
    #[track_caller]
    pub(super) fn expect(&mut self, word: &str) {
        assert_eq!(self.next().as_deref(), Some(word), "after {:?}", self.heard);
        self.heard.push(word.to_owned());
    }

    /// Waits until the child has said all of these, in whatever order.
    #[track_caller]
    pub(super) fn expect_all<const N: usize>(&mut self, mut words: [&str; N]) {
        let mut said: [_; N] = std::array::from_fn(|_| self.next().unwrap_or_default());
        said.sort_unstable();
        words.sort_unstable();
        assert_eq!(said, words, "after {:?}", self.heard);
    }

    /// Tells the child a word.
    #[track_caller]
    pub(super) fn tell(&mut self, word: &str) {
        writeln!(self.input, "{word}").expect("the child reads");
    }

    /// Sends the child a signal.
    #[track_caller]
    pub(super) fn send(&self, signal: Signal) {
        let signal = rustix::process::Signal::from_named_raw(signal.number())
            .expect("the tests send signals that have names");
        kill_process(self.process, signal).expect("the child is there");
    }

    /// Waits for the end, before which the child says no more.
    #[track_caller]
    pub(super) fn end(mut self) -> ExitStatus {
        let said = self.next();
        assert_eq!(said, None, "after {:?}", self.heard);
        // The watchdog goes first, while the process number is still this child's.
        drop(self.done);
        self.watchdog.join().expect("the watchdog only waits");
        self.child.wait().expect("the child was started here")
    }

    /// Waits for the end, by this signal.
    #[track_caller]
    pub(super) fn dies_of(self, signal: Signal) {
        let status = self.end();
        assert_eq!(status.signal(), Some(signal.number()), "{status}");
    }

    /// Waits for the end of the scenario, as it was written.
    #[track_caller]
    pub(super) fn lives_on(mut self) {
        self.tell("end");
        let status = self.end();
        assert!(status.success(), "{status}");
    }

    fn start(mut command: Command) -> Self {
        let mut child = command
            .env(IN_CHILD, "yes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("a test can start its own program");
        let (done, until_done) = mpsc::channel();
        let started = Pid::from_child(&child);
        let watchdog = thread::spawn(move || {
            if until_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process_group(started, rustix::process::Signal::KILL);
            }
        });
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let process = started;
        let heard = Vec::new();
        let mut subject = Self {
            child,
            process,
            input,
            output,
            heard,
            watchdog,
            done,
        };
        let word = subject.next().expect("the child says who it is");
        let number = word
            .strip_prefix("process ")
            .and_then(|number| number.parse().ok());
        subject.process = number.and_then(Pid::from_raw).expect("a process number");
        subject
    }

    /// The next word of the child, if it says one before it ends.
    fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self
                .output
                .read_line(&mut line)
                .expect("the child says text")
                == 0
            {
                return None;
            }
            if let Some(word) = line.trim_end().strip_prefix(MARK) {
                return Some(word.to_owned());
            }
        }
    }
}

/// What a word of the child begins with, to be told from what the test runner prints.
const MARK: &str = "> ";

/// Set in the environment of the child.
const IN_CHILD: &str = "CANCELABLE_SIGNAL_TEST_CHILD";

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(20);
