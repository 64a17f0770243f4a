//! Event loops: where something lives, how it hears of a cancel that came from elsewhere, and its deadlines.

mod home;
mod mailbox;
mod timers;

pub(crate) use home::{Home, from_afar};
pub(crate) use timers::{Timer, TimerKey, call_at};
