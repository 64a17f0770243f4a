//! Ids that nobody else makes up: random ones, whose randomness the system gives in portions.
//!
//! A portion is a thread's own, and a child of a fork throws away what it inherited: so no two processes give the same (P7).

use std::cell::RefCell;

use uuid::{Builder, Uuid};

use crate::fork;

/// How many ids a portion is for: asking the system costs a few times what an id does.
const PORTION: usize = 32;
const BYTES: usize = 16;

struct Portion {
    bytes: [u8; PORTION * BYTES],
    used: usize,
    /// The process that it was given to, by [`fork::generation`].
    generation: u32,
}

/// A random id.
pub(crate) fn fresh() -> Uuid {
    SPARE.with_borrow_mut(|portion| {
        if portion.used == PORTION || portion.generation != fork::generation() {
            if getrandom::fill(&mut portion.bytes).is_err() {
                return Uuid::new_v4();
            }
            portion.used = 0;
            portion.generation = fork::generation();
        }
        let start = portion.used * BYTES;
        portion.used += 1;
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&portion.bytes[start..start + BYTES]);
        Builder::from_random_bytes(bytes).into_uuid()
    })
}

thread_local! {
    static SPARE: RefCell<Portion> = const {
        RefCell::new(Portion {
            bytes: [0; PORTION * BYTES],
            used: PORTION,
            generation: 0,
        })
    };
}
