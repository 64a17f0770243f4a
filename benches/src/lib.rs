//! Our operations beside their rivals', in one process, sampled in turn.
//!
//! | room | what it does |
//! |---|---|
//! | `options`, `effort` | what to measure, and how long |
//! | `sampling`, `threads`, `process` | how a row is sampled: on one thread, on two, in processes of its own |
//! | `rows` | the rows, each of which checks its effect before it is timed |
//! | `table` | printing |
//!
//! Two things are kept out of the timed process: heaps that have grown old (a process for each subject), and counting what
//! is allocated (a program of its own, `bytes`).

mod effort;
mod options;
mod process;
mod rows;
mod sampling;
mod table;
mod threads;

use std::process::Command;

pub use effort::Effort;

use options::{Asked, Options};

/// Does what the command line asks for; with this effort, unless it says otherwise. `counter` runs `bytes`.
///
/// # Panics
///
/// If an effect was not seen, or the command line is not understood.
pub fn main(effort: Effort, counter: Command) {
    match options::parse(std::env::args().skip(1), effort) {
        Asked::Table(options) => table(&options, counter),
        Asked::Subject(words) => table::line(&rows::subject(&words).to_string()),
        Asked::ListOfTests => table::line("table: test"),
        Asked::Nothing => {}
    }
}

fn table(options: &Options, mut counter: Command) {
    table::head(options);
    for row in rows::all() {
        if options.wants(row.name) {
            let measured = (row.measure)(&options.effort);
            table::row(options, row.name, &measured);
        }
    }
    if options.wants(rows::BYTES) {
        for (name, measured) in rows::bytes(&mut counter) {
            table::row(options, &name, &measured);
        }
    }
}
