//! Wheel and source distribution: built as users get them, and tried where nothing else is installed.

use std::fs;
use std::io;
use std::path::Path;

use super::environment::{Environment, FOLDER};
use super::interpreter::Interpreter;
use crate::invocation::Invocation;
use crate::run::{Failure, run_command};

/// The wheel is tried with each interpreter, since one is built for all; the source distribution with the newest.
pub(super) fn check(step: &'static str, root: &Path, found: &[Interpreter]) -> Result<(), Failure> {
    let Some(newest) = found.last() else {
        return Ok(());
    };
    let packages = format!("{FOLDER}/packages");
    clear(&root.join(&packages)).map_err(Failure::Setup)?;
    let tools = Environment::of(newest);
    let wheel = tools.python(BUILD_WHEEL).arg(&packages);
    let wheel = wheel.arg("--interpreter").arg(&tools.program());
    run_command(step, &wheel, root)?;
    run_command(step, &tools.python(BUILD_SOURCES).arg(&packages), root)?;

    let wheel = only(root, &packages, ".whl").map_err(Failure::Setup)?;
    for interpreter in found {
        let name = format!("wheel-{}", interpreter.version.number);
        let bare = Environment::named(interpreter, &name);
        bare.make_bare(step, root)?;
        run_command(step, &bare.python(INSTALL).arg(&wheel), root)?;
        run_command(step, &bare.python(SMOKE), root)?;
    }

    let sources = only(root, &packages, ".tar.gz").map_err(Failure::Setup)?;
    let bare = Environment::named(newest, "sources");
    bare.make_bare(step, root)?;
    run_command(step, &install_sources(&bare, &sources, root), root)?;
    run_command(step, &bare.python(SMOKE), root)
}

/// Crates from the registry are compiled once for the wheel and this.
fn install_sources(bare: &Environment<'_>, sources: &str, root: &Path) -> Invocation {
    bare.python(INSTALL)
        .arg(sources)
        .env("CARGO_TARGET_DIR", &root.join("target").to_string_lossy())
}

fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file that ends so, by its path from the root.
fn only(root: &Path, folder: &str, ending: &str) -> io::Result<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(ending) {
            found.push(format!("{folder}/{name}"));
        }
    }
    match <[String; 1]>::try_from(found) {
        Ok([file]) => Ok(file),
        Err(found) => Err(io::Error::other(format!(
            "{folder} has {} files that end in {ending}, and should have one",
            found.len()
        ))),
    }
}

const BUILD_WHEEL: &str = "-m maturin build --release --out";
const BUILD_SOURCES: &str = "-m maturin sdist --out";
const INSTALL: &str = "-m pip install --quiet --disable-pip-version-check";
/// Isolated, so that it is the installed package which is imported.
const SMOKE: &str = "-I python/tests/smoke.py";
