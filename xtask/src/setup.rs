//! What the machine has, and how the command was asked for.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::python::interpreter::{self, Interpreter};

/// All that the plan depends on.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) quick: bool,
    pub(crate) ci: bool,
    pub(crate) nextest: bool,
    /// Set where the compiler is not the one that `rust-version` names.
    pub(crate) other_toolchain: Option<OtherToolchain>,
    /// One for each version of Python that the package is tested with and that is there, oldest first.
    pub(crate) pythons: Vec<Interpreter>,
}

/// Two versions, as `major.minor`, that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherToolchain {
    pub(crate) named: String,
    pub(crate) installed: String,
}

impl Setup {
    pub(crate) fn discover(root: &Path, quick: bool) -> io::Result<Self> {
        let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
        let rustc = Command::new("rustc").arg("--version").output()?.stdout;
        Ok(Self {
            quick,
            ci: env::var_os("CI").is_some_and(|value| !value.is_empty()),
            nextest: has_nextest(),
            other_toolchain: other_toolchain(&manifest, &String::from_utf8_lossy(&rustc)),
            pythons: interpreter::discover(),
        })
    }
}

fn has_nextest() -> bool {
    Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn other_toolchain(manifest: &str, rustc: &str) -> Option<OtherToolchain> {
    let named = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .map(|value| major_minor(value.trim().trim_matches('"')))
        .unwrap_or_default();
    let installed = rustc
        .split_whitespace()
        .nth(1)
        .map(major_minor)
        .unwrap_or_default();
    (named != installed).then_some(OtherToolchain { named, installed })
}

/// `1.95` from `1.95`, `1.95.0` and `1.95.0-nightly`.
fn major_minor(version: &str) -> String {
    let parts: Vec<&str> = version.split(['.', '-']).take(2).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rust_version: &str, rustc: &str, differ: bool) {
        let manifest = format!("[workspace.package]\nrust-version = \"{rust_version}\"\n");
        let found = other_toolchain(&manifest, rustc);
        assert_eq!(found.is_some(), differ, "{rust_version} and {rustc}");
    }

    #[test]
    fn toolchains_are_compared_by_major_and_minor() {
        check("1.95", "rustc 1.95.0 (59807616e 2026-04-14)", false);
        check("1.95.1", "rustc 1.95.0 (59807616e 2026-04-14)", false);
        check("1.95", "rustc 1.95.0-beta.3 (59807616e 2026-04-14)", false);
        check("1.95", "rustc 1.96.0 (59807616e 2026-04-14)", true);
        check("1.9", "rustc 1.95.0 (59807616e 2026-04-14)", true);
        check("1.95", "", true);
    }
}
