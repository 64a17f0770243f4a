//! Where the programs of the examples are.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// An example's program, which cargo builds beside the tests when it builds all targets.
///
/// Given the name of a test, `cargo test` builds no examples: better to stop than to test what was built some time ago.
pub(crate) fn program(example: &str) -> PathBuf {
    let tests = env::current_exe().expect("a test knows its program");
    let profile = tests.ancestors().nth(2).expect("it lies in `deps`");
    let program = profile
        .join("examples")
        .join(example)
        .with_extension(env::consts::EXE_EXTENSION);
    assert!(
        is_up_to_date(&program),
        "{} is missing, or older than its source: build it with `cargo build --package cancelable-examples --examples`, \
         in the profile of the tests",
        program.display()
    );
    program
}

/// Whether a program is there, and no file newer that went into it, by the list that cargo puts beside it.
fn is_up_to_date(program: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
    let Ok(built) = modified(program) else {
        return false;
    };
    let sources = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    sources
        .split_whitespace()
        .filter_map(|source| modified(Path::new(source)).ok())
        .all(|changed| changed <= built)
}
