//! Event loops: where something lives, and how it hears of a cancel that came from elsewhere.

mod home;
mod mailbox;

pub(crate) use home::Home;
