//! Cancelling a token with many children, per child, in a process for each figure.

use super::{Ours, Row, Theirs, row};
use crate::Effort;
use crate::process;
use crate::sampling::{median, time};
use crate::table::Measured;

pub(crate) static ROWS: &[Row] = &[
    row("cancel, per child, 1,000 children", |effort| {
        cancel(effort, 1_000)
    }),
    row("cancel, per child, 100,000 children", |effort| {
        cancel(effort, 100_000)
    }),
    row("cancel, per child, 1,000,000 children", |effort| {
        cancel(effort, 1_000_000)
    }),
];

fn cancel(effort: &Effort, children: usize) -> Measured {
    // The smaller the family, the more a single interruption weighs, and the cheaper are more processes.
    let more = if children < 1_000_000 { 5 } else { 1 };
    let effort = &Effort {
        processes: more * effort.processes,
        ..*effort
    };
    let children = effort.children(children);
    let [theirs, ours] = process::figures(
        effort,
        [
            &format!("cancel theirs {children}"),
            &format!("cancel ours {children}"),
        ],
    );
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs);
    let ratio = median(ratios.collect());
    Measured::against(median(theirs), median(ours), ratio, 0.6)
}

/// Nanoseconds for each child. Of few children several families are cancelled, one after the other, for the clock's sake.
pub(super) fn subject(whose: &str, children: usize) -> f64 {
    let families = (100_000 / children).clamp(1, 100);
    let per_child = |cancel: fn(usize) -> f64| {
        let samples = (0..families).map(|_| cancel(children) / children as f64);
        median(samples.collect())
    };
    match whose {
        "theirs" => per_child(theirs),
        "ours" => per_child(ours),
        _ => panic!("no such side: {whose}"),
    }
}

fn theirs(children: usize) -> f64 {
    let root = Theirs::new();
    let children: Vec<_> = (0..children).map(|_| root.child_token()).collect();
    assert!(!children.iter().any(Theirs::is_cancelled));
    let nanoseconds = time(|| root.cancel());
    assert!(children.iter().all(Theirs::is_cancelled));
    nanoseconds
}

fn ours(children: usize) -> f64 {
    let root = Ours::new();
    let children: Vec<_> = (0..children).map(|_| root.child_token()).collect();
    assert!(!children.iter().any(Ours::is_cancelled));
    let nanoseconds = time(|| {
        root.cancel();
    });
    assert!(children.iter().all(Ours::is_cancelled));
    nanoseconds
}
