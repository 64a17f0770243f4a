//! Prints the table of what our operations cost, beside what they cost with tokio-util.
//!
//! `cargo run --release -p benches -- [--row NAME]… [--quick] [--markdown]`

use std::process::Command;

fn main() {
    let mut counter = Command::new(env!("CARGO"));
    counter
        .args(["run", "--quiet", "--release", "--package", "benches"])
        .args(["--bin", "bytes"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    rivals::main(rivals::Effort::full(), counter);
}
