//! The laws of operations, sources and streams, through the public API.

mod basics;
mod endings;
mod support;
mod winners;
