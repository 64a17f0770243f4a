//! Making and dropping a child, alone and among siblings, on one thread and on two.

use std::hint::black_box;

use super::asking::against;
use super::{Ours, Row, Theirs, repeat, row};
use crate::Effort;
use crate::sampling::one_thread;
use crate::table::{Measured, Unit, Verdict};
use crate::threads::two_threads;

pub(crate) static ROWS: &[Row] = &[
    row("child + drop, 1 thread", |effort| among(effort, 0)),
    row("child + drop, 1 thread, 1,000 siblings", |effort| {
        among(effort, 1_000)
    }),
    row("child + drop, 1 thread, 100,000 siblings", |effort| {
        among(effort, 100_000)
    }),
    row("child + drop, 100,000 siblings over none", flatness),
    row("child + drop, 2 threads under one parent", |effort| {
        let (theirs, ours) = (Theirs::new(), Ours::new());
        check(&theirs, &ours);
        let (theirs, ours) = (Theirs::new(), Ours::new());
        let samples = two_threads(
            effort,
            [
                &repeat!(black_box(&theirs).child_token()),
                &repeat!(black_box(&ours).child_token()),
            ],
        );
        against(&samples, 0.4)
    }),
];

fn among(effort: &Effort, siblings: usize) -> Measured {
    let (theirs, ours) = (Theirs::new(), Ours::new());
    let siblings = effort.children(siblings);
    let their_siblings: Vec<_> = (0..siblings).map(|_| theirs.child_token()).collect();
    let our_siblings: Vec<_> = (0..siblings).map(|_| ours.child_token()).collect();
    let samples = one_thread(
        effort,
        [
            &mut repeat!(black_box(&theirs).child_token()),
            &mut repeat!(black_box(&ours).child_token()),
        ],
    );
    check(&theirs, &ours);
    assert!(their_siblings.iter().all(Theirs::is_cancelled));
    assert!(our_siblings.iter().all(Ours::is_cancelled));
    against(&samples, 0.6)
}

/// How much dearer a child is among many; both sides of the comparison are sampled in turn.
fn flatness(effort: &Effort) -> Measured {
    let siblings = effort.children(100_000);
    let (their_crowd, our_crowd) = (Theirs::new(), Ours::new());
    let their_siblings: Vec<_> = (0..siblings).map(|_| their_crowd.child_token()).collect();
    let our_siblings: Vec<_> = (0..siblings).map(|_| our_crowd.child_token()).collect();
    let (their_lone, our_lone) = (Theirs::new(), Ours::new());
    let theirs = one_thread(
        effort,
        [
            &mut repeat!(black_box(&their_lone).child_token()),
            &mut repeat!(black_box(&their_crowd).child_token()),
        ],
    );
    let ours = one_thread(
        effort,
        [
            &mut repeat!(black_box(&our_lone).child_token()),
            &mut repeat!(black_box(&our_crowd).child_token()),
        ],
    );
    drop((their_siblings, our_siblings));
    // Here the first side is the lone one, and the second the one in the crowd.
    let [theirs, ours] = [theirs, ours].map(|samples| samples.median_ratio());
    let at_most = 1.15;
    Measured {
        theirs: Some(theirs),
        ours,
        unit: Unit::Times,
        ratio: None,
        reach: format!("≤ {at_most} ×"),
        verdict: Verdict::of(ours <= at_most),
    }
}

/// A child is not cancelled by itself, is cancelled with its parent, and so is one that comes later.
fn check(theirs: &Theirs, ours: &Ours) {
    let (their_child, our_child) = (theirs.child_token(), ours.child_token());
    assert!(!their_child.is_cancelled() && !our_child.is_cancelled());
    theirs.cancel();
    ours.cancel();
    assert!(their_child.is_cancelled() && our_child.is_cancelled());
    assert!(theirs.child_token().is_cancelled() && ours.child_token().is_cancelled());
}
