//! What a signal did in this process before anybody here listened for it.

use std::{fs, process};

use super::kind::Signal;

/// The disposition of a signal, as the host left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// The default action was in force, and is to be given back.
    Default,
    /// It was ignored, as under `nohup`, and stays so.
    Ignored,
    /// The host has a handler, which alone decides.
    Handled,
}

impl Before {
    /// Reads the disposition. It means something only until the first action here is registered for the signal, since
    /// that one's handler would be found as well.
    pub(super) fn read(signal: Signal) -> Self {
        // To the first process of a container the kernel delivers no signal that it left at its default.
        if process::id() == 1 {
            return Self::Ignored;
        }
        if !cfg!(target_os = "linux") {
            return Self::Default;
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self::parse(&status, signal).unwrap_or_else(|| {
            tracing::debug!(%signal, "the process status does not tell what was there; taken for the default");
            Self::Default
        })
    }

    /// Finds the signal's bit in the two masks of a process status, which are hexadecimal with bit 0 for signal 1.
    fn parse(status: &str, signal: Signal) -> Option<Self> {
        let bit = 1 << signal.number().checked_sub(1)?;
        let is_in = |field| {
            let mask = status.lines().find_map(|line| line.strip_prefix(field))?;
            Some(u64::from_str_radix(mask.trim(), 16).ok()? & bit != 0)
        };
        Some(match (is_in("SigCgt:")?, is_in("SigIgn:")?) {
            (true, _) => Self::Handled,
            (false, true) => Self::Ignored,
            (false, false) => Self::Default,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn signal_status_tells_what_was_there_before() {
        let status = "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t8000000000000002\n";
        let highest = Signal::from_raw(64).expect("Linux has 64 signals");
        for (signal, expected) in [
            (Signal::HANGUP, Before::Ignored),
            (Signal::PIPE, Before::Ignored),
            (Signal::INTERRUPT, Before::Handled),
            (Signal::TERMINATE, Before::Default),
            (highest, Before::Handled),
        ] {
            assert_eq!(Before::parse(status, signal), Some(expected), "{signal}");
        }
    }

    #[test]
    fn signal_status_that_cannot_be_read_says_nothing() {
        for status in ["", "SigIgn:\t0\n", "SigIgn:\t0\nSigCgt:\tzz\n"] {
            assert_eq!(Before::parse(status, Signal::INTERRUPT), None, "{status:?}");
        }
    }
}
