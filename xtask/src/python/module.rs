//! The native module, as tests use it: built without optimising, beside the sources; and the examples in Rust that they need,
//! which they find where cargo leaves them.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::io;
use std::path::Path;

use crate::invocation::Invocation;
use crate::run::{Failure, run_command};

pub(super) fn build(step: &'static str, root: &Path) -> Result<(), Failure> {
    // One after the other: what is built together has each other's features, and the module wants none of the services'.
    for build in [MODULES, SERVICES] {
        run_command(step, &Invocation::cargo(build), root)?;
    }
    place(root).map_err(Failure::Setup)
}

/// Puts it where the package looks for it. A file of that name is replaced and never written to: an interpreter may have it
/// mapped.
fn place(root: &Path) -> io::Result<()> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let built = target.join(format!("debug/{DLL_PREFIX}_core{DLL_SUFFIX}"));
    let package = root.join("python/hother/cancelable");
    let new = package.join(format!("{MODULE}.new"));
    fs::copy(built, &new)?;
    fs::rename(new, package.join(MODULE))
}

const MODULES: &str = "build --package cancelable-python --package cancelable-example-extension";
const SERVICES: &str = "build --package cancelable-examples --example relay";

const MODULE: &str = if cfg!(windows) {
    "_core.pyd"
} else {
    "_core.abi3.so"
};
