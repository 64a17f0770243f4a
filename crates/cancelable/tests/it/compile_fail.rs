//! What `#[cancelable]` says where it is used wrongly: each case is a program, beside what the compiler prints of it.
//!
//! Where rustc has the word, as with a bound that fails, that is the text of the version that the workspace names.

#[test]
fn compile_fail_of_the_attribute() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
