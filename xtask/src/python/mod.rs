//! The steps of the Python package: which there are, and what each runs.
//!
//! Whatever they make lies under `target/python`: an environment for each version, named by it, and the built packages. Only
//! the native module goes into `python/`, where an interpreter finds it beside the sources.

mod environment;
pub(crate) mod interpreter;
mod module;
mod packages;

use std::path::Path;

use self::environment::Environment;
use self::interpreter::{Interpreter, VERSIONS};
use crate::plan::Plan;
use crate::run::Failure;
use crate::setup::Setup;

/// What takes more than one command.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Builds the native module, and puts it beside the package's sources.
    Module,
    /// Makes the environments that the other steps run in, where they are not there yet.
    Environments(Vec<Interpreter>),
    /// Builds wheel and source distribution, installs each into an environment that has nothing else, and tries it.
    Packages(Vec<Interpreter>),
}

impl Task {
    pub(crate) fn run(&self, step: &'static str, root: &Path) -> Result<(), Failure> {
        match self {
            Self::Module => module::build(step, root),
            Self::Environments(interpreters) => interpreters
                .iter()
                .try_for_each(|interpreter| Environment::of(interpreter).make(step, root)),
            Self::Packages(interpreters) => packages::check(step, root, interpreters),
        }
    }
}

/// Adds the steps, and what is left out of them.
pub(crate) fn plan(plan: &mut Plan, setup: &Setup) {
    let Some(newest) = setup.pythons.last() else {
        plan.skip(
            "python",
            &format!(
                "found none of Python {}: nothing of the package was tested",
                every_version()
            ),
        );
        return;
    };
    for version in VERSIONS {
        if setup.pythons.iter().all(|found| found.version != version) {
            let detail = format!(
                "not found: the package was not tested with Python {}",
                version.number
            );
            plan.skip(version.skip, &detail);
        }
    }
    let tested = if setup.quick {
        std::slice::from_ref(newest)
    } else {
        &setup.pythons[..]
    };

    let tools = Environment::of(newest);
    plan.task("module", Task::Module);
    plan.task("pythons", Task::Environments(tested.to_vec()));
    plan.command("ruff", tools.python(&format!("-m ruff check {SOURCES}")));
    plan.command(
        "format",
        tools.python(&format!("-m ruff format --check {SOURCES}")),
    );
    plan.command("mypy", tools.python("-m mypy"));
    plan.command("stubs", tools.python(STUBTEST).env("PYTHONPATH", "python"));
    for interpreter in tested {
        let pytest = if setup.quick {
            format!("-m pytest {WITHOUT_SERVERS}")
        } else {
            "-m pytest".to_owned()
        };
        let pytest = Environment::of(interpreter).python(&pytest);
        plan.command(interpreter.version.step, pytest);
    }
    if setup.quick {
        let left_out = setup.pythons.len() > 1;
        if left_out {
            let detail = format!(
                "the package was tested with Python {} only",
                newest.version.number
            );
            plan.skip("quick", &detail);
        }
        plan.skip("quick", "the package was not tested with web servers");
        plan.skip("quick", "wheel and source distribution were not built");
    } else {
        plan.task("packages", Task::Packages(tested.to_vec()));
    }
}

fn every_version() -> String {
    VERSIONS.map(|version| version.number).join(", ")
}

/// Where Python sources are.
const SOURCES: &str = "python benches/python";
/// Each of these serves requests on every loop and by every server, which takes minutes.
const WITHOUT_SERVERS: &str = "--ignore-glob=*/test_web_*";
const STUBTEST: &str = "-m mypy.stubtest --mypy-config-file pyproject.toml hother.cancelable._core";
