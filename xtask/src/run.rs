//! Runs a plan, and tells how it went.

use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::docs_check::{self, Problem};
use crate::invocation::Invocation;
use crate::plan::{Action, Plan, Step};
use crate::setup::Setup;
use crate::skips::{self, Skip};
use crate::terminal::say;

/// Everything that the project tests, up to the first failure.
pub(crate) fn test(root: &Path, quick: bool) -> Result<(), Failure> {
    let setup = Setup::discover(root, quick).map_err(Failure::Setup)?;
    run(&Plan::new(&setup), &setup, root)
}

/// The steps of the Python package alone.
pub(crate) fn python(root: &Path, quick: bool) -> Result<(), Failure> {
    let setup = Setup::discover(root, quick).map_err(Failure::Setup)?;
    run(&Plan::of_python(&setup), &setup, root)
}

fn run(plan: &Plan, setup: &Setup, root: &Path) -> Result<(), Failure> {
    if setup.ci {
        refuse_unnamed(&plan.skips, root)?;
    }
    let mut times = Vec::new();
    let outcome = plan.steps.iter().try_for_each(|step| {
        let start = Instant::now();
        run_step(step, root)?;
        times.push((step.name, start.elapsed()));
        Ok(())
    });
    summarize(&times, plan);
    outcome
}

/// The checks of the Markdown files alone.
pub(crate) fn docs(root: &Path) -> Result<(), Failure> {
    let problems = docs_check::check(root).map_err(Failure::Docs)?;
    for problem in &problems {
        say(problem);
    }
    match problems.len() {
        0 => Ok(()),
        _ => Err(Failure::Problems(problems)),
    }
}

/// Why a run ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    Usage,
    Setup(io::Error),
    UnnamedSkips(Vec<Skip>),
    Command(&'static str, Invocation),
    Spawn(&'static str, Invocation, io::Error),
    Docs(io::Error),
    Problems(Vec<Problem>),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => f.write_str("no such command"),
            Self::Setup(error) => write!(f, "setup: {error}"),
            Self::UnnamedSkips(skips) => {
                writeln!(
                    f,
                    "CI is set, and ARCHITECTURE.md does not name, under \"{}\":",
                    skips::HEADING
                )?;
                skips.iter().try_for_each(|skip| writeln!(f, "  {skip}"))
            }
            Self::Command(step, invocation) => {
                write!(f, "step {step}\nto repeat it: {invocation}")
            }
            Self::Spawn(step, invocation, error) => {
                write!(f, "step {step}: cannot run {invocation}: {error}")
            }
            Self::Docs(error) => write!(f, "step docs: cannot read the tree: {error}"),
            Self::Problems(problems) => write!(
                f,
                "step docs: problems in Markdown files: {}\nto repeat it: cargo xtask docs",
                problems.len()
            ),
        }
    }
}

fn refuse_unnamed(skips: &[Skip], root: &Path) -> Result<(), Failure> {
    // A document that cannot be read names nothing.
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap_or_default();
    let unnamed = skips::unnamed(skips, &architecture);
    if unnamed.is_empty() {
        Ok(())
    } else {
        Err(Failure::UnnamedSkips(unnamed))
    }
}

fn run_step(step: &Step, root: &Path) -> Result<(), Failure> {
    match &step.action {
        Action::CheckDocs => {
            say("\n=== docs: cargo xtask docs");
            docs(root)
        }
        Action::Command(invocation) => run_command(step.name, invocation, root),
        Action::Python(task) => task.run(step.name, root),
    }
}

/// Says what it runs, and runs it.
pub(crate) fn run_command(
    step: &'static str,
    invocation: &Invocation,
    root: &Path,
) -> Result<(), Failure> {
    say(format_args!("\n=== {step}: {invocation}"));
    match invocation.run(root) {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::Command(step, invocation.clone())),
        Err(error) => Err(Failure::Spawn(step, invocation.clone(), error)),
    }
}

/// One line for each step of the plan, then what was skipped.
fn summarize(times: &[(&str, Duration)], plan: &Plan) {
    say("");
    for (name, time) in times {
        say(format_args!(
            "  ok      {name:<11} {:>6.1} s",
            time.as_secs_f64()
        ));
    }
    let mut rest = plan.steps.iter().skip(times.len());
    if let Some(failed) = rest.next() {
        say(format_args!("  FAILED  {}", failed.name));
    }
    for step in rest {
        say(format_args!("  not run {}", step.name));
    }
    say(if plan.skips.is_empty() {
        "skipped: nothing"
    } else {
        "skipped:"
    });
    for skip in &plan.skips {
        say(format_args!("  {skip}"));
    }
}
