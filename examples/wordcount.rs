//! Counts the lines and words of a file or of standard input, and can be stopped at any time without losing the count.
//!
//! ```text
//! cargo run --example wordcount -- Cargo.lock
//! cargo run --example wordcount -- Cargo.lock --max-lines 100
//! yes | cargo run --example wordcount -- --timeout 2s
//! cargo run --example wordcount        # reads what you type; Ctrl-D ends it, Ctrl-C stops it
//! ```
//!
//! The counts go to standard output, everything else to standard error. The exit code is
//!
//! | code | when |
//! |---|---|
//! | 0 | all was read and counted |
//! | 1 | the input could not be read, or not to its end, or the counts could not be written |
//! | 2 | the arguments make no sense |
//! | 3 | stopped early by `--timeout` or `--max-lines` |
//! | 130, 143 | stopped early by `SIGINT` (Ctrl-C), `SIGTERM` |
//!
//! Whatever ends it, the lines that were counted until then are printed. A reader that leaves, as in `| head`, is no error.
//!
//! A line ends with a line feed or with the input, and a word is what stands between white space, so carriage returns do
//! not count. A line that is not UTF-8 is counted with `�` in place of its stray bytes, and the output tells how many there
//! were. One line at a time is in memory, 16 MiB at most, and each different word once.

#[path = "wordcount/display.rs"]
mod display;
#[path = "wordcount/input.rs"]
mod input;
#[path = "wordcount/tally.rs"]
mod tally;

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cancelable::{Cancelable, Cancellation, Origin, Signal};
use clap::Parser;
use futures_util::StreamExt;

use crate::display::Display;
use crate::input::{Input, ReadError};
use crate::tally::Tally;

/// Counts lines and words, and can be stopped at any time without losing the count.
#[derive(Parser)]
#[command(name = "wordcount", after_help = EXIT_CODES)]
struct Args {
    /// The file to read; standard input if it is `-` or missing.
    #[arg(default_value = "-")]
    file: PathBuf,

    /// Stop after this long, such as `2s` or `1m 30s`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,

    /// Stop after exactly this many lines, without a look at whether there are more.
    #[arg(long, value_name = "N")]
    max_lines: Option<NonZeroU64>,

    /// Show progress after every so many lines; 0 for never.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    report_every: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    // The tally stands outside of the operation. Cancelling drops the operation's body, and what was counted stays.
    let mut tally = Tally::default();
    let outcome = runtime.block_on(count(&args, &mut tally));
    // A read that waits for a terminal or a pipe cannot be interrupted: its thread is left behind, and ends with the
    // process. Dropping the runtime, which is also what `#[tokio::main]` does, would wait for it, perhaps for ever.
    runtime.shutdown_background();
    finish(outcome, &tally)
}

/// Counts all lines of the input, or as many as come before it is cancelled.
async fn count(args: &Args, tally: &mut Tally) -> Result<(), Failure> {
    let display = Display::new();
    let mut operation = Cancelable::new()
        .name("wordcount")
        .signal(Signal::INTERRUPT)
        .signal(Signal::TERMINATE);
    if let Some(limit) = args.timeout {
        operation = operation.timeout(limit);
    }
    let counting = operation.try_run(async |op| {
        // Inside, so that opening can be cancelled too: a named pipe opens when somebody writes to it.
        let input = Input::open(&args.file).await?;
        tally.size = input.size;
        display.begin(input.size);
        op.on_progress({
            let (display, bytes) = (display.clone(), Arc::clone(&input.bytes));
            // Relaxed: a number to look at, which orders nothing.
            move |_, progress| display.update(progress, bytes.load(Ordering::Relaxed))
        });

        let mut lines = pin!(op.stream(input.lines()).report_every(args.report_every));
        while let Some(line) = lines.next().await {
            // Two ways to end early, so two question marks: the operation was cancelled, or the line could not be read.
            tally.add(&line??);

            // Not `Cancelable::condition`, which is asked from time to time, and so would be met some lines late. Here the
            // limit is looked at after each line. Once it has asked itself to stop, the stream gives the reason in place of
            // a further line, and takes none from the input.
            if args.max_lines.is_some_and(|max| tally.lines == max.get()) {
                op.cancel_with(Origin::condition("max-lines"));
            }
        }
        Ok(())
    });
    let outcome = counting.await;
    display.end();
    outcome
}

/// Why not all lines were counted. `try_run` turns a cancellation into it, as `?` does with what `Input` fails with.
enum Failure {
    Read(ReadError),
    Stopped(Cancellation),
}

/// Prints the counts and what went wrong, and finds the exit code.
fn finish(outcome: Result<(), Failure>, tally: &Tally) -> ExitCode {
    let (code, stopped) = match &outcome {
        Ok(()) => (0, None),
        Err(Failure::Stopped(why)) => (exit_code(why), Some(why)),
        Err(Failure::Read(error)) => {
            let code = fail(&error.to_string());
            if tally.lines == 0 {
                return code;
            }
            (1, None)
        }
    };
    let mut output = io::stdout().lock();
    match tally.print(&mut output, stopped) {
        Ok(()) => ExitCode::from(code),
        // Who reads the output has seen enough of it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(error) => fail(&format!("cannot write the counts: {error}")),
    }
}

fn exit_code(why: &Cancellation) -> u8 {
    match why.origin() {
        Origin::Timeout { .. } | Origin::Condition { .. } => 3,
        // What a shell makes of a process that a signal has ended.
        Origin::Signal { number, .. } => u8::try_from(128 + number).unwrap_or(u8::MAX),
        // The operation could not start: where signals cannot be listened for, say.
        _ => 1,
    }
}

fn fail(message: &str) -> ExitCode {
    // Not `eprintln!`, which panics when nobody reads it.
    let _ = writeln!(io::stderr(), "wordcount: {message}");
    ExitCode::from(1)
}

impl From<Cancellation> for Failure {
    fn from(why: Cancellation) -> Self {
        Self::Stopped(why)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Stopped(why) => why.fmt(f),
        }
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0         all was read and counted
  1         the input could not be read, or not to its end, or the counts could not be written
  2         the arguments make no sense
  3         stopped early by --timeout or --max-lines
  130, 143  stopped early by SIGINT (Ctrl-C), SIGTERM

Whatever ends it, the lines that were counted until then are printed.";
