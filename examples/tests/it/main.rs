//! The examples, run as their readers run them.

#[cfg(unix)]
mod wordcount;
