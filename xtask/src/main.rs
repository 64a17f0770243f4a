//! The project's one test command, `cargo xtask test`: what CI runs is what a person runs.

mod docs_check;
mod invocation;
mod plan;
mod python;
mod run;
mod setup;
mod skips;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::run::Failure;
use crate::terminal::say;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args[..] {
        ["test"] => run::test(&root(), false),
        ["test", "--quick"] => run::test(&root(), true),
        ["python"] => run::python(&root(), false),
        ["python", "--quick"] => run::python(&root(), true),
        ["docs"] => run::docs(&root()),
        ["help" | "--help" | "-h"] => {
            say(USAGE);
            Ok(())
        }
        _ => Err(Failure::Usage),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage) => {
            say(USAGE);
            ExitCode::from(2)
        }
        Err(failure) => {
            say(format_args!("\nFAILED: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder, whatever the folder that the command was given in.
///
/// Asked of `cargo run` and not fixed by `env!`, since cargo keeps a binary when its checkout is moved, or when two
/// checkouts share a target folder. Run without cargo, it is the current folder.
fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .and_then(|here| Some(Path::new(&here).parent()?.to_owned()))
        .unwrap_or_else(|| PathBuf::from("."))
}

const USAGE: &str = "\
Usage: cargo xtask <command>

  test          run everything that the project tests
  test --quick  leave out what takes minutes
  python        run the tests of the Python package alone; --quick as above
  docs          check links, README.md, and the table of laws and their tests";
