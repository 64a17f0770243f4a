//! How times and lengths of time are written: RFC 3339 in UTC, and seconds as a number.

pub(crate) mod seconds;
pub(crate) mod time;
