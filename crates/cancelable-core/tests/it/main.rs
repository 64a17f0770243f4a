//! The laws of tokens, through the public API.

mod basics;
