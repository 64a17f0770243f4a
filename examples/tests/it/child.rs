//! An example as a child process: what it is given, and what it says.
//!
//! A child that is not done after 20 s is killed, so that whoever waits for its output finds the end of it.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A command without input; what it prints is read by the test.
pub(crate) fn with_pipes(mut command: Command) -> Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A child that runs.
pub(crate) struct Running {
    output: Option<ChildStdout>,
    errors: Option<BufReader<Box<dyn Read>>>,
    said: String,
    child: Child,
    watchdog: JoinHandle<()>,
    done: Sender<()>,
}

/// What was left of a child.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
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
            errors: child.stderr.take().map(|errors| read(errors)),
            said: String::new(),
            child,
            watchdog,
            done,
        }
    }

    /// The same with both of its outputs on standard error, in the order in which a terminal shows them.
    pub(crate) fn start_as_on_a_terminal(mut command: Command) -> Self {
        let (said, says) = io::pipe().expect("pipes are there");
        let also_says = says.try_clone().expect("it is open");
        command.stdin(Stdio::null()).stdout(also_says).stderr(says);
        let mut running = Self::start(command);
        running.errors = Some(read(said));
        running
    }

    /// The next line that it says on standard error; `None` once it says no more.
    pub(crate) fn next_line(&mut self) -> Option<&str> {
        let errors = self.errors.as_mut().expect("standard error is a pipe");
        let from = self.said.len();
        let length = errors.read_line(&mut self.said).expect("it says text");
        (length > 0).then(|| self.said[from..].trim_end_matches('\n'))
    }

    /// Waits until it has said this line on standard error.
    #[track_caller]
    pub(crate) fn await_line(&mut self, line: &str) {
        loop {
            match self.next_line() {
                Some(said) if said == line => return,
                Some(_) => {}
                None => panic!("no line {line:?} in {:?}", self.said),
            }
        }
    }

    #[track_caller]
    pub(crate) fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is there");
    }

    /// Waits until it ends by itself: until its outputs end, at least one of which is a pipe.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
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
            signal: status.signal(),
            output,
            errors: self.said,
        }
    }
}

fn read(output: impl Read + 'static) -> BufReader<Box<dyn Read>> {
    BufReader::new(Box::new(output))
}

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(20);
