//! Prints what a token and a child take of the heap: a name, tokio-util's bytes, ours.

use std::alloc::System;
use std::io::Write;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// So many that a list's spare room is that of an ordinary list: its capacity is a third more than its length.
const TOKENS: usize = 100_000;

fn main() {
    type Theirs = tokio_util::sync::CancellationToken;
    type Ours = cancelable::CancellationToken;

    let (theirs, ours) = (Theirs::new(), Ours::new());
    let rows = [
        ("root", bytes_each(Theirs::new), bytes_each(Ours::new)),
        (
            "live-child",
            bytes_each(|| theirs.child_token()),
            bytes_each(|| ours.child_token()),
        ),
    ];
    let mut out = std::io::stdout().lock();
    for (name, theirs, ours) in rows {
        writeln!(out, "{name} {theirs} {ours}").expect("there is somewhere to print to");
    }
}

/// What each of many that live at once adds to the heap; room for the handles is there before.
fn bytes_each<T>(make: impl Fn() -> T) -> f64 {
    let mut kept = Vec::with_capacity(TOKENS);
    let region = Region::new(COUNTED);
    kept.extend((0..TOKENS).map(|_| make()));
    let change = region.change();
    assert_eq!(kept.len(), TOKENS);
    // What reallocation added or gave back is counted in these two.
    (change.bytes_allocated as f64 - change.bytes_deallocated as f64) / TOKENS as f64
}
