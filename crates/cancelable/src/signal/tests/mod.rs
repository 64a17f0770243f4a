//! Signals as a process meets them: each test runs its first half in a child process of its own, and sends it signals.

mod beside_hosts;
mod default_action;
mod numbers;
mod races;
mod subject;
mod telling;
