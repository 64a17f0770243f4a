//! The one place where this program prints.

use std::fmt::Display;
use std::io::Write as _;

/// Prints one line, and drops it where nobody reads any more.
pub(crate) fn say(line: impl Display) {
    // A closed pipe is the reader's decision; the exit code still tells how it went.
    let _ = writeln!(std::io::stdout(), "{line}");
}
