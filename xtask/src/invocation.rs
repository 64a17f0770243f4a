//! A command that can be run, and be shown as one would type it.

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// A command with its environment.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    env: Vec<(String, String)>,
    program: String,
    args: Vec<String>,
}

impl Invocation {
    /// A command from what follows `cargo`, split at white space.
    pub(crate) fn cargo(args: &str) -> Self {
        Self::of("cargo", args)
    }

    /// A command from a program, by its name or by its path from the root, and arguments that are split at white space.
    pub(crate) fn of(program: &str, args: &str) -> Self {
        Self {
            env: Vec::new(),
            program: program.to_owned(),
            args: args.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// One more argument, which may have white space.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it in `root`, with this program's own output streams.
    pub(crate) fn run(&self, root: &Path) -> io::Result<ExitStatus> {
        let mut command = Command::new(located(&self.program, root));
        command.args(&self.args).current_dir(root);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(describes_this_package) {
                command.env_remove(name);
            }
        }
        command
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .status()
    }
}

impl Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", Quoted(value))?;
        }
        write!(f, "{}", Quoted(&self.program))?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", Quoted(arg)))
    }
}

/// A program that is given by a path is looked for under `root`: where a child starts does not say where it is looked for.
fn located(program: &str, root: &Path) -> PathBuf {
    if Path::new(program).components().count() > 1 {
        root.join(program)
    } else {
        PathBuf::from(program)
    }
}

/// A word as a POSIX shell takes it.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@".contains(c);
        if !self.0.is_empty() && self.0.chars().all(plain) {
            f.write_str(self.0)
        } else {
            write!(f, "'{}'", self.0.replace('\'', r"'\''"))
        }
    }
}

/// Whether `cargo run` set this variable to describe xtask itself.
///
/// Handed on, such variables make some build scripts run again, each time that a command is given by hand and then
/// by xtask.
fn describes_this_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_reads_as_one_would_type_it() {
        let models = Invocation::cargo("nextest run --test models").env("RUSTFLAGS", "--cfg it");
        assert_eq!(
            models.to_string(),
            "RUSTFLAGS='--cfg it' cargo nextest run --test models"
        );
    }

    #[test]
    fn a_program_of_the_tree_is_found_from_anywhere() {
        let root = Path::new("/checkout");
        assert_eq!(located("cargo", root), Path::new("cargo"));
        assert_eq!(located("target/x", root), Path::new("/checkout/target/x"));
        assert_eq!(located("/usr/bin/x", root), Path::new("/usr/bin/x"));
    }

    #[test]
    fn a_quote_survives_quoting() {
        assert_eq!(Quoted("it's").to_string(), r"'it'\''s'");
        assert_eq!(Quoted("").to_string(), "''");
    }
}
