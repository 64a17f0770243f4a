//! Which interpreters the machine has.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A version that the package is tested with, and how the output calls what has to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) number: &'static str,
    pub(crate) step: &'static str,
    pub(crate) skip: &'static str,
}

/// The oldest that is supported, and the one that figures are published from; the tools run on the last that is there.
pub(crate) const VERSIONS: [Version; 2] = [
    Version {
        number: "3.11",
        step: "pytest-3.11",
        skip: "python-3.11",
    },
    Version {
        number: "3.13",
        step: "pytest-3.13",
        skip: "python-3.13",
    },
];

/// An interpreter that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    pub(crate) version: Version,
    /// Its program, and its full version.
    pub(crate) program: String,
    pub(crate) full: String,
}

/// One interpreter for each version that the machine has, oldest first.
pub(crate) fn discover() -> Vec<Interpreter> {
    let pyenv = pyenv_versions();
    VERSIONS
        .into_iter()
        .filter_map(|version| {
            candidates(version, pyenv.as_deref())
                .into_iter()
                .find_map(|program| try_out(version, program))
        })
        .collect()
}

/// Programs that may be this version, the likeliest first: one on the path may be a shim for nothing.
fn candidates(version: Version, pyenv: Option<&Path>) -> Vec<String> {
    let mut candidates = vec![format!("python{}", version.number)];
    if let Some(folder) = pyenv {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let programs = newest_first(version, names.collect())
            .into_iter()
            .map(|name| folder.join(name).join("bin/python"));
        candidates.extend(programs.map(|program| program.to_string_lossy().into_owned()));
    }
    candidates.extend(["python3".to_owned(), "python".to_owned()]);
    candidates
}

/// Those of pyenv's names that are releases of this version.
fn newest_first(version: Version, names: Vec<String>) -> Vec<String> {
    let patch = |name: &str| -> Option<u32> {
        let rest = name.strip_prefix(version.number)?.strip_prefix('.')?;
        rest.parse().ok()
    };
    let mut releases: Vec<String> = names;
    releases.retain(|name| patch(name).is_some());
    releases.sort_by_key(|name| Reverse(patch(name)));
    releases
}

fn pyenv_versions() -> Option<PathBuf> {
    let root = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".pyenv")));
    Some(root?.join("versions"))
}

fn try_out(version: Version, program: String) -> Option<Interpreter> {
    let output = Command::new(&program)
        .args(["-c", PROBE])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let full = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let fits = output.status.success() && is_release_of(&full, version);
    fits.then_some(Interpreter {
        version,
        program,
        full,
    })
}

fn is_release_of(full: &str, version: Version) -> bool {
    full.strip_prefix(version.number)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// Says its version if it can make environments, and if it has the stable ABI, which free-threaded builds have not.
const PROBE: &str = "\
import ensurepip, platform, sysconfig, venv
if not sysconfig.get_config_var('Py_GIL_DISABLED'):
    print(platform.python_version())";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let [oldest, newest] = VERSIONS;
        assert!(is_release_of("3.11.7", oldest));
        assert!(is_release_of("3.13.0rc1", newest));
        assert!(!is_release_of("3.13.0", oldest));
        assert!(!is_release_of("3.1", oldest));
        assert!(!is_release_of("3.110.0", oldest));
        assert!(!is_release_of("", oldest));
    }

    #[test]
    fn the_newest_release_is_tried_first() {
        let names = [
            "3.13.2",
            "3.13.10",
            "3.13.0t",
            "3.12.1",
            "pypy3.13-7",
            "3.13.9",
        ];
        let names = names.map(str::to_owned).to_vec();
        let [_, newest] = VERSIONS;
        assert_eq!(newest_first(newest, names), ["3.13.10", "3.13.9", "3.13.2"]);
    }

    #[test]
    fn what_is_on_the_path_comes_before_what_a_version_manager_keeps() {
        let [oldest, _] = VERSIONS;
        let candidates = candidates(oldest, Some(Path::new("/nowhere")));
        assert_eq!(candidates, ["python3.11", "python3", "python"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_no_interpreter() {
        let [oldest, _] = VERSIONS;
        assert_eq!(try_out(oldest, "no-such-python".to_owned()), None);
    }
}
