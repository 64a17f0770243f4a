//! The examples, run as their readers run them.

mod programs;
mod quickstart;
#[cfg(unix)]
mod wordcount;
