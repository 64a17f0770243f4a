//! A native module whose loop stops when Python cancels, by its token or by Ctrl-C.
//!
//! ```python
//! token = CancelationToken()
//! threading.Timer(1.0, token.cancel_sync, ["time is up"]).start()
//! primes.count(token)
//! ```

/// Primes, counted for as long as they are wanted.
#[pyo3::pymodule(gil_used = false)]
mod primes {
    use std::thread;

    use cancelable_pyo3::{CancellationToken, PythonTokens, run};
    use pyo3::prelude::*;

    /// Counts primes below `limit`, or all that there are, until `token` is cancelled. The loop asks a token of Rust's, which
    /// costs one load.
    #[pyfunction]
    #[pyo3(signature = (token, limit = None))]
    fn count(token: &Bound<'_, PyAny>, limit: Option<u64>) -> PyResult<u64> {
        run(token, |token| {
            (2..limit.unwrap_or(u64::MAX))
                .take_while(|_| !token.is_cancelled())
                .filter(|number| is_prime(*number))
                .count() as u64
        })
    }

    /// Looks for a prime that has this many digits on a thread of its own, and cancels `token` with it as the message.
    #[pyfunction]
    fn find(token: &Bound<'_, PyAny>, digits: u32) -> PyResult<()> {
        let ours = CancellationToken::new();
        // Both ways: the search ends when Python has had enough of it, and Python hears of its end.
        ours.follow_python(token)?.detach();
        ours.lead_python(token).detach();
        thread::spawn(move || {
            let mut candidates = (10_u64.pow(digits - 1)..).take_while(|_| !ours.is_cancelled());
            if let Some(found) = candidates.find(|number| is_prime(*number)) {
                ours.cancel_with(format!("found {found}"));
            }
        });
        Ok(())
    }

    fn is_prime(number: u64) -> bool {
        (2..)
            .take_while(|it| it * it <= number)
            .all(|it| !number.is_multiple_of(it))
    }
}
