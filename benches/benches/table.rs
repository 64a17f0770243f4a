//! The same table under `cargo bench`; run as a test, one quick round that only checks the effects.

use std::process::Command;

fn main() {
    let is_bench = std::env::args().any(|word| word == "--bench");
    let effort = if is_bench {
        rivals::Effort::full()
    } else {
        rivals::Effort::check()
    };
    rivals::main(effort, Command::new(env!("CARGO_BIN_EXE_bytes")));
}
