//! One token for Rust and Python: an extension's own [`CancellationToken`], linked to a `CancelationToken` of the Python
//! package `hother.cancelable`.
//!
//! The two lie in different native modules, which share no types. So the Python token is used as Python uses it, by its
//! methods, and only when one of the two is cancelled; asking ours stays one load.
//!
//! [`PythonTokens`] links by hand. [`run`] does it for the length of one call, outside the interpreter:
//!
//! ```ignore
//! use cancelable_pyo3::run;
//! use pyo3::prelude::*;
//!
//! /// Counts until `token` is cancelled.
//! #[pyfunction]
//! fn count(token: &Bound<'_, PyAny>) -> PyResult<u64> {
//!     run(token, |token| {
//!         let mut rounds = 0;
//!         while !token.is_cancelled() {
//!             rounds += 1;
//!         }
//!         rounds
//!     })
//! }
//! ```

mod run;
mod tokens;

pub use cancelable_core::{Cancellation, CancellationToken, Reason, Registration};

pub use self::run::run;
pub use self::tokens::PythonTokens;
