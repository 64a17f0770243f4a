//! The examples, in reading order. Each is a program that opens with how to run it and what to look for.
//!
//! | example | what it shows |
//! |---|---|
//! | `quickstart` | a decorated function with a time limit, progress, a stream, and a thread that cancels it |
//! | `wordcount` | a real file under a time limit, a limit of lines, and signals; a progress bar; nothing lost however it ends |
