//! The examples, run as their readers run them.

#[cfg(unix)]
mod child;
#[cfg(unix)]
mod numbered;
mod programs;
mod quickstart;
#[cfg(unix)]
mod relay;
#[cfg(unix)]
mod transcript;
#[cfg(unix)]
mod wordcount;
