//! The laws of tokens, through the public API.

mod basics;
mod callbacks;
mod deadline_graphs;
mod deadlines;
mod model;
mod support;
mod trees;
mod wakers;
mod world;
