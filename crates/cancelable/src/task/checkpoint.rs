//! The free function by which a loop that has no token at hand is ended.

use std::cell::Cell;

use cancelable_core::Cancellation;

use crate::operation::current;

/// Goes on if the operation that is current here was not asked to stop; for CPU loops that have no token at hand.
///
/// Costs a thread-local and a load, and the clock is read now and then where there is a time limit, so that a body which
/// only computes is ended by its own. Where there is no operation it always goes on, and so it does in a
/// [shielded](crate::Operation::shield) section. On a thread that an operation knows nothing of, such as those of rayon, call it
/// [within](crate::Operation::within) one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use cancelable::{Cancelable, Cancellation, checkpoint};
///
/// fn sum(numbers: &[u64]) -> Result<u64, Cancellation> {
///     let mut sum = 0;
///     for number in numbers {
///         checkpoint()?;
///         sum += number;
///     }
///     Ok(sum)
/// }
///
/// assert_eq!(sum(&[1, 2, 3]), Ok(6));
/// let outcome = Cancelable::new()
///     .run(async |op| {
///         op.cancel();
///         sum(&[1, 2, 3])
///     })
///     .await;
/// assert!(outcome.unwrap().is_err());
/// # }
/// ```
///
/// # Errors
///
/// Why the operation was asked to stop.
#[inline]
pub fn checkpoint() -> Result<(), Cancellation> {
    let calls = CALLS.get().wrapping_add(1);
    CALLS.set(calls);
    if current::is_to_stop() || calls.is_multiple_of(BETWEEN_LOOKS) {
        look()
    } else {
        Ok(())
    }
}

/// How many calls on a thread go by between two that look at the clock.
const BETWEEN_LOOKS: u32 = 64;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

#[cold]
fn look() -> Result<(), Cancellation> {
    match current::around() {
        Some((operation, None)) => {
            operation.look_at_the_clock();
            operation.check()
        }
        Some((_, Some(_))) | None => Ok(()),
    }
}
