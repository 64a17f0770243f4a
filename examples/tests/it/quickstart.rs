//! `quickstart`: what it prints.

use std::process::Command;

use crate::programs::program;

#[test]
fn quickstart_is_cancelled_by_the_thread_halfway() {
    let output = Command::new(program("quickstart"))
        .arg("10")
        .output()
        .expect("the example runs");
    assert!(output.status.success(), "it ended with {output:?}");
    let printed = String::from_utf8(output.stdout).expect("it prints text");
    let printed: Vec<_> = printed.lines().collect();

    let [.., processed, cancelled] = &printed[..] else {
        panic!("too little was printed: {printed:?}");
    };
    assert_eq!(*cancelled, "Cancelled: Cancelled by monitor");
    let count = |start: &str| {
        printed
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    };
    let done = count("[Progress] Processing item");
    assert_eq!(*processed, format!("Processed {done} items"));
    // How many it is depends on the machine; all of them would take twice the thread's patience.
    assert!(done < 100, "{done} items");
    assert_eq!(count("[Progress] processed"), done / 10);
}
