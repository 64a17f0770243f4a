//! Measuring in processes of their own, one for each figure.

use std::process::{Command, Stdio};

use crate::Effort;

/// Runs this program again for each of `subjects` in turn, as many times as the effort says, and returns their figures.
pub(crate) fn figures<const N: usize>(effort: &Effort, subjects: [&str; N]) -> [Vec<f64>; N] {
    let mut figures = [(); N].map(|()| Vec::new());
    for _ in 0..effort.processes {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            figures.push(figure(subject));
        }
    }
    figures
}

fn figure(subject: &str) -> f64 {
    let this = std::env::current_exe().expect("a program knows where it is");
    let mut command = Command::new(this);
    command.arg("--subject").args(subject.split(' '));
    output(&mut command)
        .trim()
        .parse()
        .expect("a subject prints a number")
}

/// Runs a program that must succeed, and returns what it prints.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .expect("the program can be started");
    assert!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).expect("what we print is text")
}
