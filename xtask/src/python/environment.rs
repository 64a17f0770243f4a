//! Virtual environments, made anew only when what belongs into them changes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::interpreter::Interpreter;
use crate::invocation::Invocation;
use crate::run::{Failure, run_command};
use crate::terminal::say;

/// An environment under `target/python`.
#[derive(Debug)]
pub(super) struct Environment<'a> {
    interpreter: &'a Interpreter,
    /// Where it lies, from the root.
    folder: String,
}

impl<'a> Environment<'a> {
    /// The one that tests of this version run in.
    pub(super) fn of(interpreter: &'a Interpreter) -> Self {
        Self::named(interpreter, interpreter.version.number)
    }

    pub(super) fn named(interpreter: &'a Interpreter, name: &str) -> Self {
        Self {
            interpreter,
            folder: format!("{FOLDER}/{name}"),
        }
    }

    /// A command for its interpreter.
    pub(super) fn python(&self, args: &str) -> Invocation {
        Invocation::of(&self.program(), args)
    }

    /// Its interpreter, by the path from the root.
    pub(super) fn program(&self) -> String {
        let program = if cfg!(windows) {
            "Scripts/python.exe"
        } else {
            "bin/python"
        };
        format!("{}/{program}", self.folder)
    }

    /// Makes it, with all that tests need, unless it is there.
    pub(super) fn make(&self, step: &'static str, root: &Path) -> Result<(), Failure> {
        let wanted = self.wanted(root).map_err(Failure::Setup)?;
        if fs::read_to_string(self.note(root)).is_ok_and(|made| made == wanted) {
            say(format_args!("{}: is there", self.folder));
            return Ok(());
        }
        self.make_bare(step, root)?;
        run_command(step, &self.python(UPGRADE_PIP), root)?;
        run_command(step, &self.python(INSTALL_GROUP), root)?;
        // Last, so that one which was not finished is made again.
        fs::write(self.note(root), wanted).map_err(Failure::Setup)
    }

    /// Makes it anew, with nothing in it but pip.
    pub(super) fn make_bare(&self, step: &'static str, root: &Path) -> Result<(), Failure> {
        let venv = Invocation::of(&self.interpreter.program, "-m venv --clear").arg(&self.folder);
        run_command(step, &venv, root)
    }

    /// All that decides what is in it.
    fn wanted(&self, root: &Path) -> io::Result<String> {
        let project = fs::read_to_string(root.join("pyproject.toml"))?;
        let Interpreter { program, full, .. } = self.interpreter;
        Ok(format!("{program} {full}\n{}", groups(&project)))
    }

    fn note(&self, root: &Path) -> PathBuf {
        root.join(&self.folder).join("made-from")
    }
}

/// The section of `pyproject.toml` that lists what tests and tools need.
fn groups(project: &str) -> String {
    let is_heading = |line: &&str| line.starts_with('[');
    let section = project
        .lines()
        .skip_while(|line| *line != "[dependency-groups]");
    let lines: Vec<&str> = section
        .clone()
        .take(1)
        .chain(section.skip(1).take_while(|line| !is_heading(line)))
        .collect();
    lines.join("\n")
}

pub(super) const FOLDER: &str = "target/python";
/// Dependency groups came with this one.
const UPGRADE_PIP: &str = "-m pip install --quiet --disable-pip-version-check --upgrade pip>=25.1";
const INSTALL_GROUP: &str = "-m pip install --quiet --disable-pip-version-check --group test";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_made_from_the_groups_alone() {
        let project = "\
[project]
name = \"x\"

[dependency-groups]
test = [
    \"pytest>=9,<10\",
]
[tool.ruff]
line-length = 100
";
        let groups = groups(project);
        assert_eq!(
            groups,
            "[dependency-groups]\ntest = [\n    \"pytest>=9,<10\",\n]"
        );
    }

    #[test]
    fn without_groups_there_is_nothing_to_install() {
        assert_eq!(groups("[project]\n"), "");
    }
}
