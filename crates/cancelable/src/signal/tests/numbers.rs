//! Which numbers are signals, and how they print.

use crate::signal::Signal;

#[test]
fn signal_prints_its_name_and_number() {
    for (signal, expected) in [
        (Signal::INTERRUPT, "SIGINT (2)"),
        (Signal::TERMINATE, "SIGTERM (15)"),
        (Signal::HANGUP, "SIGHUP (1)"),
        (Signal::QUIT, "SIGQUIT (3)"),
        (Signal::ALARM, "SIGALRM (14)"),
        (Signal::PIPE, "SIGPIPE (13)"),
    ] {
        assert_eq!(signal.to_string(), expected);
        assert_eq!(Signal::from_raw(signal.number()), Ok(signal));
    }
}

#[test]
fn signal_constants_are_signals_that_can_be_listened_for() {
    for signal in [
        Signal::INTERRUPT,
        Signal::TERMINATE,
        Signal::HANGUP,
        Signal::QUIT,
        Signal::USER1,
        Signal::USER2,
        Signal::ALARM,
        Signal::CHILD,
        Signal::CONTINUE,
        Signal::PIPE,
        Signal::TERMINAL_STOP,
        Signal::WINDOW_CHANGE,
        Signal::CPU_LIMIT,
    ] {
        assert_eq!(Signal::from_raw(signal.number()), Ok(signal));
    }
}

#[test]
#[cfg(all(target_os = "linux", not(target_env = "musl")))]
fn signal_names_of_linux() {
    for (number, expected) in [
        (16, "SIGSTKFLT"),
        (29, "SIGIO"),
        (30, "SIGPWR"),
        (34, "SIGRTMIN"),
        (35, "SIGRTMIN+1"),
        (63, "SIGRTMIN+29"),
        (64, "SIGRTMAX"),
    ] {
        assert_eq!(Signal::from_raw(number).map(Signal::name), Ok(expected));
    }
    let fit = (-5..200)
        .filter(|number| Signal::from_raw(*number).is_ok())
        .count();
    assert_eq!(
        fit,
        31 - 6 + 31,
        "of the 31 old ones all but six, and 31 real-time ones"
    );
}

#[test]
fn signal_that_cannot_be_listened_for_is_refused_with_a_remedy() {
    for (number, expected) in [
        (
            9,
            "signal 9 (SIGKILL) cannot be caught by any program; listen for SIGTERM (15)",
        ),
        (
            11,
            "signal 11 (SIGSEGV) reports a fault of the program itself",
        ),
        (
            0,
            "signal 0 is not known on this system; `kill -l` lists the numbers",
        ),
        (-1, "signal -1 is not known"),
        (i32::MIN, "signal -2147483648 is not known"),
        (i32::MAX, "signal 2147483647 is not known"),
        (300, "signal 300 is not known"),
        #[cfg(target_os = "linux")]
        (7, "signal 7 (SIGBUS) reports a fault of the program itself"),
        #[cfg(target_os = "linux")]
        (19, "signal 19 (SIGSTOP) cannot be caught by any program"),
        #[cfg(target_os = "linux")]
        (
            32,
            "signal 32 is kept by the C library for itself; use a real-time signal",
        ),
    ] {
        let refused = Signal::from_raw(number).expect_err(expected);
        assert_eq!(refused.number(), number);
        let text = refused.to_string();
        assert!(text.starts_with(expected), "{text}");
    }
}
