//! The laws of tokens, through the public API.

#![expect(
    clippy::unwrap_used,
    reason = "a test, or what helps one, panics where it fails"
)]

mod bad_input;
mod bad_wakers;
mod basics;
mod callbacks;
mod deadline_graphs;
mod deadlines;
mod guards;
mod hammer;
mod hammer_waits;
mod memory;
mod model;
mod registry;
mod registry_asked;
mod registry_events;
mod registry_hammer;
mod registry_history;
mod registry_model;
mod registry_support;
mod rounds;
mod stack;
mod support;
mod trees;
mod wakers;
mod which_deadline;
mod world;
mod written;
