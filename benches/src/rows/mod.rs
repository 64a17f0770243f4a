//! The rows of the table, in its order. Each first checks the effect of what it then times.

mod asking;
mod cancelling;
mod children;
mod floor;
mod memory;
mod operations;
mod registry;
mod requests;
mod shutdown;
mod stall;
mod waiting;

use cancelable::CancellationToken as Ours;
use tokio_util::sync::CancellationToken as Theirs;

use crate::Effort;
use crate::table::Measured;

pub(crate) use memory::{BYTES, measure as bytes};

/// A row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) measure: fn(&Effort) -> Measured,
}

const fn row(name: &'static str, measure: fn(&Effort) -> Measured) -> Row {
    Row { name, measure }
}

/// All rows but those of memory.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [
        floor::ROWS,
        asking::ROWS,
        children::ROWS,
        cancelling::ROWS,
        stall::ROWS,
        waiting::ROWS,
        operations::ROWS,
        registry::ROWS,
        requests::ROWS,
        shutdown::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// Measures one subject of a row that is measured in processes of its own; or does what a tool outside is to measure.
pub(crate) fn subject(words: &[String]) -> f64 {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["cancel", whose, children] => cancelling::subject(whose, number(children)),
        ["stall", whose, operation, children] => stall::subject(whose, operation, number(children)),
        ["request", whose, requests] => requests::subject(whose, number(requests)),
        _ => panic!("no such subject: {words:?}"),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a number")
}

/// A function that evaluates an expression a number of times, and has it count as used.
macro_rules! repeat {
    ($expression:expr) => {
        |rounds: u64| {
            for _ in 0..rounds {
                std::hint::black_box($expression);
            }
        }
    };
}
use repeat;
