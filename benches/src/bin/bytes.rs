//! Prints what a token and a child take of the heap: a name, tokio-util's bytes, ours.

use std::io::Write;

use allocation_counter::measure;

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
    let used = measure(|| kept.extend((0..TOKENS).map(|_| make())));
    assert_eq!(kept.len(), TOKENS);
    used.bytes_current as f64 / TOKENS as f64
}
