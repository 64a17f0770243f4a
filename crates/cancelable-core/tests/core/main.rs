//! Placeholder for the core's tests through its public names.

#[test]
fn debug_assertions_are_on() {
    const { assert!(cfg!(debug_assertions)) };
}
