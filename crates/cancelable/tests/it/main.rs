//! The laws of operations, sources and streams, through the public API.

mod again;
mod attribute;
mod basics;
mod blocking;
mod budgets;
mod companions;
mod compile_fail;
mod conditions;
mod counts;
mod current;
mod dropped;
mod endings;
mod finalizers;
mod graces;
mod graces_by_reason;
mod hostile;
#[cfg(feature = "tokio-util")]
mod interop;
mod items;
mod limits;
mod meetings;
mod nested_sources;
mod nesting;
mod panics;
mod random;
mod registered;
#[cfg(feature = "backon")]
mod retries;
#[cfg(feature = "backon")]
mod retry_cancels;
#[cfg(feature = "backon")]
mod retry_time;
mod script;
mod shields;
#[cfg(unix)]
mod signals;
mod size;
mod sources;
mod starts;
mod storm;
mod support;
mod sweep;
mod sweep_duties;
mod tasks;
mod threads;
mod traced;
mod winners;
