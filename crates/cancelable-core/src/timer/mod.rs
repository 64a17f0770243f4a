//! Deadlines of bare tokens: one thread for the whole process, and no async runtime.
//!
//! [`Timer`] keeps what is armed in a [`wheel`](wheel::Wheel) and hands over what is due from its own thread;
//! [`run_aside`] runs what may be slow beside that thread. What both ask of the machine, the time and threads, goes
//! through the one seam [`Host`](host::Host), which tests replace.

mod aside;
mod driver;
mod host;
#[cfg(test)]
mod manual;
mod quietly;
mod ticks;
mod wheel;

pub(crate) use aside::run_aside;
pub(crate) use driver::Timer;
pub(crate) use quietly::call_quietly;
pub(crate) use wheel::Key;
