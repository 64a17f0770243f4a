//! What is known of each signal number on this system: its name, and what it does to a process by default.

/// Why a number cannot be listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is no signal here.
    Unknown,
    /// The kernel lets nobody catch it.
    Uncatchable,
    /// It tells a thread of its own fault, and returning from it repeats the fault.
    Fault,
    /// The C library keeps it for itself.
    Reserved,
}

/// The name of a signal that can be listened for, or why it cannot.
#[cfg(unix)]
pub(super) fn of(number: i32) -> Result<&'static str, Unfit> {
    use signal_hook::consts::{FORBIDDEN, SIGBUS, SIGKILL, SIGSTOP};

    match number {
        SIGKILL | SIGSTOP => Err(Unfit::Uncatchable),
        // `signal-hook` would take SIGBUS, but it is as hopeless to listen for as the rest of them.
        SIGBUS => Err(Unfit::Fault),
        _ if FORBIDDEN.contains(&number) => Err(Unfit::Fault),
        _ => match signal_hook::low_level::signal_name(number) {
            Some(name) => Ok(name),
            None => more::of(number),
        },
    }
}

/// The name of a signal whose number is none that can be listened for.
#[cfg(unix)]
pub(super) fn unfit(number: i32) -> Option<&'static str> {
    signal_hook::low_level::signal_name(number)
}

/// Whether `signal-hook` knows the default action of this signal, and has it right.
#[cfg(unix)]
pub(super) fn default_is_known(number: i32) -> bool {
    // Its table has SIGIO ignored, which on Linux ends the process.
    let wrong = cfg!(target_os = "linux") && number == signal_hook::consts::SIGIO;
    !wrong && signal_hook::low_level::signal_name(number).is_some()
}

/// Whether the default action ends the process, rather than stop it or do nothing.
#[cfg(unix)]
pub(super) fn default_ends_the_process(number: i32) -> bool {
    use signal_hook::consts::{SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};

    !matches!(
        number,
        SIGCHLD | SIGCONT | SIGTSTP | SIGTTIN | SIGTTOU | SIGURG | SIGWINCH
    )
}

/// The signals that Linux has beyond `signal-hook`'s table.
#[cfg(all(
    target_os = "linux",
    not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))
))]
mod more {
    use super::Unfit;

    pub(super) fn of(number: i32) -> Result<&'static str, Unfit> {
        match number {
            16 => Ok("SIGSTKFLT"),
            30 => Ok("SIGPWR"),
            FIRST_OF_ALL..FIRST => Err(Unfit::Reserved),
            FIRST..=LAST => Ok(usize::try_from(number - FIRST)
                .ok()
                .and_then(|above| REAL_TIME.get(above))
                .copied()
                .unwrap_or("SIGRTMAX")),
            _ => Err(Unfit::Unknown),
        }
    }

    /// The kernel's first real-time signal; the C library takes the first few for its threads.
    const FIRST_OF_ALL: i32 = 32;
    const FIRST: i32 = if cfg!(target_env = "musl") { 35 } else { 34 };
    const LAST: i32 = 64;

    #[rustfmt::skip]
    const REAL_TIME: [&str; 30] = [
        "SIGRTMIN", "SIGRTMIN+1", "SIGRTMIN+2", "SIGRTMIN+3", "SIGRTMIN+4", "SIGRTMIN+5", "SIGRTMIN+6", "SIGRTMIN+7",
        "SIGRTMIN+8", "SIGRTMIN+9", "SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13", "SIGRTMIN+14",
        "SIGRTMIN+15", "SIGRTMIN+16", "SIGRTMIN+17", "SIGRTMIN+18", "SIGRTMIN+19", "SIGRTMIN+20", "SIGRTMIN+21",
        "SIGRTMIN+22", "SIGRTMIN+23", "SIGRTMIN+24", "SIGRTMIN+25", "SIGRTMIN+26", "SIGRTMIN+27", "SIGRTMIN+28",
        "SIGRTMIN+29",
    ];
}

/// Elsewhere only the named signals are known.
#[cfg(all(
    unix,
    not(all(
        target_os = "linux",
        not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))
    ))
))]
mod more {
    use super::Unfit;

    pub(super) fn of(_: i32) -> Result<&'static str, Unfit> {
        Err(Unfit::Unknown)
    }
}

/// The two signals that have a like on systems without signals.
#[cfg(not(unix))]
pub(super) fn of(number: i32) -> Result<&'static str, Unfit> {
    match number {
        2 => Ok("SIGINT"),
        15 => Ok("SIGTERM"),
        _ => Err(Unfit::Unknown),
    }
}

/// The name of a signal whose number is none that can be listened for.
#[cfg(not(unix))]
pub(super) fn unfit(_: i32) -> Option<&'static str> {
    None
}
