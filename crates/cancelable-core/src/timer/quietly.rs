//! Calling code that may panic from a thread that has to live on.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`; a panic in it ends here, whatever its payload does when it is dropped.
///
/// The panic hook has run by then, so the panic has been reported where the program wants its panics reported.
pub(crate) fn call_quietly(f: impl FnOnce()) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        return;
    };
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // The payload panicked with another, which may well do the same, and so on without an end: this one is leaked.
        let _ = ManuallyDrop::new(payload);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::call_quietly;

    /// Panics when it is dropped, with another of its kind as long as `left` says so.
    struct PanicsOnDrop {
        left: u32,
    }

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            if self.left > 0 {
                panic_any(PanicsOnDrop {
                    left: self.left - 1,
                });
            }
        }
    }

    #[test]
    fn calls_once() {
        let mut calls = 0;
        call_quietly(|| calls += 1);
        assert_eq!(calls, 1);
    }

    #[test]
    fn survives_a_panic() {
        call_quietly(|| panic!("on purpose"));
    }

    #[test]
    fn survives_payloads_that_panic_on_drop() {
        for left in 0..4 {
            call_quietly(|| panic_any(PanicsOnDrop { left }));
        }
    }

    #[test]
    fn survives_a_capture_that_panics_on_drop() {
        let capture = PanicsOnDrop { left: 1 };
        call_quietly(move || drop(capture));
    }
}
