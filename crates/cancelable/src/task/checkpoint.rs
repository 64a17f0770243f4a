//! The free function by which a loop that has no token at hand is ended.

use cancelable_core::Cancellation;

use crate::operation::{Operation, current};

/// Goes on if the operation that is current here was not asked to stop; for CPU loops that have no token at hand.
///
/// Costs a thread-local and a load. Where there is no operation it always goes on, and so it does in a
/// [shielded](Operation::shield) section. On a thread that an operation knows nothing of, such as those of rayon, call it
/// [within](Operation::within) one.
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
    if current::is_to_stop() {
        stop()
    } else {
        Ok(())
    }
}

#[cold]
fn stop() -> Result<(), Cancellation> {
    match Operation::current() {
        Some(operation) => operation.check(),
        None => Ok(()),
    }
}
