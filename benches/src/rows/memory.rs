//! What a token allocates, counted by a program of its own, so that counting slows no other row.

use std::process::Command;

use crate::process;
use crate::table::{Measured, Unit};

/// What the rows' names begin with.
pub(crate) const BYTES: &str = "bytes per root, per live child";

/// Runs the program, which prints a line for each row: its name, their bytes, ours.
pub(crate) fn measure(counter: &mut Command) -> Vec<(String, Measured)> {
    process::output(counter)
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("three words a line");
            let name = word();
            let mut bytes = || word().parse::<f64>().expect("a number of bytes");
            let (theirs, ours) = (bytes(), bytes());
            let measured = Measured {
                unit: Unit::Bytes,
                ..Measured::against(theirs, ours, ours / theirs, 1.0)
            };
            (format!("bytes per {}", name.replace('-', " ")), measured)
        })
        .collect()
}
