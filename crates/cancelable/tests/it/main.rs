//! The laws of operations, sources and streams, through the public API.

mod basics;
