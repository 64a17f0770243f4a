//! A chain of links whose ends go in lockstep (T7): here, since it takes the tokens' locks to keep two threads in step.

use std::hint;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::sync::Arc;
use crate::token::CancellationToken;

#[test]
fn law_t7_a_chain_of_links_dropped_in_lockstep() {
    for _ in 0..ATTEMPTS {
        // The two threads get out of step now and then; what overflows is a chain most of which they dropped in step.
        if drop_in_lockstep() > LENGTH / 2 {
            break;
        }
    }
}

/// One thread drops the first of a chain, and holds each next for as long as it takes to leave it; just then this thread
/// lets go of that one. So each is dropped in the middle of leaving it. Says of how many that was tried.
fn drop_in_lockstep() -> usize {
    let mut chain: Vec<_> = (0..LENGTH).map(|_| CancellationToken::new()).collect();
    for ends in chain.windows(2) {
        ends[1].link(&ends[0]);
    }
    let first = chain.pop().expect("not empty");
    let may_begin = AtomicBool::new(false);
    let is_over = AtomicBool::new(false);
    let mut in_step = 0;
    thread::scope(|scope| {
        let leave = || {
            while !may_begin.load(Ordering::Acquire) {
                hint::spin_loop();
            }
            drop(first);
            is_over.store(true, Ordering::Release);
        };
        let thread = thread::Builder::new().stack_size(STACK);
        thread
            .spawn_scoped(scope, leave)
            .expect("the system has a thread to give");
        while let Some(token) = chain.pop() {
            let lock = token.node.inner.lock();
            may_begin.store(true, Ordering::Release);
            let is_held = || Arc::strong_count(&token.node) == 2;
            while !is_held() && !is_over.load(Ordering::Acquire) {
                hint::spin_loop();
            }
            in_step += usize::from(is_held());
            // The other thread waits for the lock, and before it has seen that this is gone, so is the handle.
            drop(lock);
        }
    });
    in_step
}

const LENGTH: usize = 300;
const ATTEMPTS: usize = 150;
/// Small also where not optimized: this chain is short.
const STACK: usize = 64 * 1024;
