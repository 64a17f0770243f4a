//! The example as a child process: what it is given, and what it says.
//!
//! A child that is not done after 20 s is killed, so that whoever waits for its output finds the end of it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::programs::program;

/// The example with these arguments and no input; what it prints is read by the test.
pub(super) fn wordcount(arguments: &[&str]) -> Command {
    let mut command = Command::new(program("wordcount"));
    command.args(arguments);
    with_pipes(command)
}

/// A command without input; what it prints is read by the test.
pub(super) fn with_pipes(mut command: Command) -> Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A child that runs.
pub(super) struct Running {
    output: Option<ChildStdout>,
    errors: Option<BufReader<ChildStderr>>,
    said: String,
    child: Child,
    watchdog: JoinHandle<()>,
    done: Sender<()>,
}

/// What was left of a child.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) output: String,
    pub(super) errors: String,
}

impl Running {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the child can be started");
        let (done, until_done) = mpsc::channel::<()>();
        let process = Pid::from_child(&child);
        let watchdog = thread::spawn(move || {
            if until_done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(process, Signal::KILL);
            }
        });
        Self {
            output: child.stdout.take(),
            errors: child.stderr.take().map(BufReader::new),
            said: String::new(),
            child,
            watchdog,
            done,
        }
    }

    /// Waits until it has said this line on standard error.
    #[track_caller]
    pub(super) fn await_line(&mut self, line: &str) {
        let errors = self.errors.as_mut().expect("standard error is a pipe");
        loop {
            let from = self.said.len();
            let length = errors.read_line(&mut self.said).expect("it says text");
            assert!(length > 0, "no line {line:?} in {:?}", self.said);
            if self.said[from..].trim_end() == line {
                return;
            }
        }
    }

    #[track_caller]
    pub(super) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is there");
    }

    /// Waits until it ends by itself: until its outputs end, at least one of which is a pipe.
    #[track_caller]
    pub(super) fn end(mut self) -> Ended {
        let mut output = String::new();
        if let Some(pipe) = &mut self.output {
            pipe.read_to_string(&mut output).expect("it prints text");
        }
        if let Some(pipe) = &mut self.errors {
            pipe.read_to_string(&mut self.said).expect("it says text");
        }
        // The watchdog goes first, while the process number is still this child's.
        drop(self.done);
        self.watchdog.join().expect("the watchdog only waits");
        let status = self.child.wait().expect("the child was started here");
        Ended {
            code: status.code(),
            output,
            errors: self.said,
        }
    }
}

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(20);
