//! The laws of operations, sources and streams, through the public API.

mod attribute;
mod basics;
mod compile_fail;
