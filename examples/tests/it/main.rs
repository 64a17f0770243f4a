//! What the examples print, run as users run them.

use std::path::PathBuf;
use std::process::Command;

/// What an example printed, line by line.
fn run(example: &str, args: &[&str]) -> Vec<String> {
    let output = Command::new(built(example))
        .args(args)
        .output()
        .expect("the example runs");
    assert!(output.status.success(), "{example} ended with {output:?}");
    let printed = String::from_utf8(output.stdout).expect("examples print text");
    printed.lines().map(str::to_owned).collect()
}

/// Cargo builds the examples with the tests, into a folder beside theirs, but tells tests of no path to them.
fn built(example: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows where it is");
    path.pop();
    path.set_file_name("examples");
    path.push(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    let hint = "run all tests of the package, or `cargo build --examples` first";
    assert!(path.exists(), "{} is not built: {hint}", path.display());
    path
}

#[test]
fn quickstart_is_cancelled_by_the_thread_halfway() {
    let printed = run("quickstart", &["10"]);
    let count = |start: &str| {
        printed
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    };
    let [.., processed, cancelled] = &printed[..] else {
        panic!("too little was printed: {printed:?}");
    };
    assert_eq!(cancelled, "Cancelled: Cancelled by monitor");
    let done = count("[Progress] Processing item");
    assert_eq!(*processed, format!("Processed {done} items"));
    // How many it is depends on the machine; all of them would take twice the thread's patience.
    assert!((1..100).contains(&done), "{done} items");
    assert_eq!(count("[Progress] processed"), done / 10);
    assert_eq!(printed[0], "[Progress] Processing item 0 (0%)");
}
