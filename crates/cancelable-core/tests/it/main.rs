//! The laws of tokens, through the public API.

#![expect(
    clippy::unwrap_used,
    reason = "a test, or what helps one, panics where it fails"
)]

mod bad_input;
mod basics;
mod callbacks;
mod deadline_graphs;
mod deadlines;
mod hammer;
mod memory;
mod model;
mod stack;
mod support;
mod trees;
mod wakers;
mod world;
