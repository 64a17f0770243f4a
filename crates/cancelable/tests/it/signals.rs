//! S4 and S5 as operations see them: each scenario is a child process, which raises its own signals.

use std::any::type_name_of_val;
use std::future::pending;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::{self, Command, Output};
use std::time::Duration;
use std::{env, thread};

use cancelable::source::{self, Source};
use cancelable::{Cancelable, Operation, OperationStatus, Reason, Signal};
use rustix::process::{getpid, kill_process};
use tokio::runtime::Builder;

use crate::support::poll_once;

/// Set in the environment of the child.
const IN_CHILD: &str = "CANCELABLE_OPERATION_TEST_CHILD";

/// What a child says before the signal that must be its end.
const LAST: &str = "> the last signal";

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `scenario` in a child process, this very binary, which must then die of the signal that it gets at the end.
/// Gives what it said on standard error.
fn dies_of_sigterm_after<T, Fut: Future<Output = ()>>(
    of: T,
    scenario: impl FnOnce() -> Fut,
) -> String {
    if env::var_os(IN_CHILD).is_some() {
        // Where a signal was held back that should have been the end.
        thread::spawn(|| {
            thread::sleep(PATIENCE);
            process::exit(1);
        });
        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(scenario());
        last_signal();
    }
    let path = type_name_of_val(&of);
    let (_, name) = path.split_once("::").expect("a test lies in a crate");
    let child = Command::new(env::current_exe().expect("a test knows its program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(IN_CHILD, "yes")
        .output();
    let child = child.expect("a test can start its own program");
    let Output { status, .. } = child;
    let (said, stderr) = (
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr),
    );
    assert!(
        said.contains(LAST),
        "it did not come so far, {status}: {stderr}"
    );
    assert_eq!(
        status.signal(),
        Some(Signal::TERMINATE.number()),
        "{status}: {stderr}"
    );
    stderr.into_owned()
}

/// In the child: sends it the SIGTERM that must be its end.
fn last_signal() -> ! {
    // The line break before it parts the word from what the test runner prints without one.
    writeln!(io::stdout(), "\n{LAST}").expect("the test reads");
    raise();
    loop {
        thread::park();
    }
}

/// In the child: sends it SIGTERM.
fn raise() {
    kill_process(getpid(), rustix::process::Signal::TERM).expect("one may signal oneself");
}

fn on_sigterm() -> Cancelable {
    Cancelable::new().signal(Signal::TERMINATE)
}

#[test]
fn law_s4_signal_reaches_every_operation_and_the_default_is_back_after() {
    dies_of_sigterm_after(
        law_s4_signal_reaches_every_operation_and_the_default_is_back_after,
        || async {
            let mut one = pin!(on_sigterm().run(async |_| pending::<()>().await));
            let combined = Cancelable::new().combine(on_sigterm());
            let mut two = pin!(combined.run(async |_| pending::<()>().await));
            assert!(poll_once(one.as_mut()).is_pending());
            assert!(poll_once(two.as_mut()).is_pending());
            raise();
            let (one, two) = tokio::join!(one, two);
            for why in [one.unwrap_err(), two.unwrap_err()] {
                assert_eq!(why.reason(), Reason::Signal);
                assert_eq!(why.message(), "received signal SIGTERM (15)");
            }
        },
    );
}

#[test]
fn law_s4_signal_is_heard_after_another_operation_has_ended() {
    dies_of_sigterm_after(
        law_s4_signal_is_heard_after_another_operation_has_ended,
        || async {
            let mut second = pin!(on_sigterm().run(async |_| pending::<()>().await));
            assert!(poll_once(second.as_mut()).is_pending());
            on_sigterm().run(async |_| ()).await.unwrap();
            {
                let mut dropped = pin!(on_sigterm().run(async |_| pending::<()>().await));
                assert!(poll_once(dropped.as_mut()).is_pending());
            }
            raise();
            assert_eq!(second.await.unwrap_err().reason(), Reason::Signal);
        },
    );
}

#[test]
fn law_s4_signal_is_let_go_at_the_end_though_the_future_is_kept() {
    dies_of_sigterm_after(
        law_s4_signal_is_let_go_at_the_end_though_the_future_is_kept,
        || async {
            let mut kept = Box::pin(on_sigterm().run(async |_| ()));
            assert!(kept.as_mut().await.is_ok());
            let plan = on_sigterm().on_cancel(|_| {
                // Already here: who ends now is not held up by a second signal.
                last_signal();
            });
            let mut cancelled = Box::pin(plan.run(async |op| {
                op.cancel();
                pending::<()>().await;
            }));
            let _ = cancelled.as_mut().await;
            unreachable!("{:p} {:p} are kept", kept, cancelled);
        },
    );
}

#[test]
fn law_s4_signal_reaches_a_plain_thread() {
    dies_of_sigterm_after(law_s4_signal_reaches_a_plain_thread, || async {
        let entered = on_sigterm().enter_blocking();
        raise();
        let why = entered.token().blocking_cancelled();
        assert_eq!(why.message(), "received signal SIGTERM (15)");
        assert_eq!(entered.status(), OperationStatus::Cancelling);
        let op = entered.clone();
        drop(entered);
        assert_eq!(op.status(), OperationStatus::Cancelled);
        let last = on_sigterm().on_cancel(|_| last_signal());
        let last = last.enter_blocking();
        last.cancel();
        drop(last);
        unreachable!("the callback never returns");
    });
}

#[test]
fn law_s4_signal_is_heard_inside_other_sources_and_let_go_with_them() {
    dies_of_sigterm_after(
        law_s4_signal_is_heard_inside_other_sources_and_let_go_with_them,
        || async {
            let nested = |also: &'static str| {
                let also = source::from_future(async move { also });
                let never = source::from_future(pending::<&str>());
                let both = also.and(source::signal(Signal::TERMINATE));
                Cancelable::new().detached().source(never.or(both))
            };
            let entered = on_sigterm().enter_blocking();
            let beside = entered.clone();
            let mut one = pin!(nested("one").run(async |_| pending::<()>().await));
            // Its body has not had to wait before the signal was told, and it listens all the same.
            let two = pin!(nested("two").run(async |_| {
                raise();
                beside.token().blocking_cancelled();
                pending::<()>().await;
            }));
            assert!(poll_once(one.as_mut()).is_pending());
            let (one, two) = tokio::join!(one, two);
            drop(entered);
            for (why, also) in [(one.unwrap_err(), "one"), (two.unwrap_err(), "two")] {
                assert_eq!(why.reason(), Reason::Signal);
                let said = format!("{also}, and received signal SIGTERM (15)");
                assert_eq!(why.message(), said);
            }
            let mut kept = Box::pin(nested("three").run(async |_| ()));
            assert!(kept.as_mut().await.is_ok());
            {
                let mut dropped = pin!(nested("four").run(async |_| pending::<()>().await));
                assert!(poll_once(dropped.as_mut()).is_pending());
            }
            last_signal();
        },
    );
}

#[test]
fn law_s4_signal_in_the_grace_takes_its_default() {
    let said = dies_of_sigterm_after(law_s4_signal_in_the_grace_takes_its_default, || async {
        let plan = || {
            let plan = on_sigterm().grace(Duration::from_secs(3600));
            plan.finalizer(None, async |_| print("finalized"))
        };
        let mut one = pin!(plan().run(async |_| pending::<()>().await));
        let mut two = pin!(plan().run(async |op| {
            op.cancelled().await;
            // Both have heard it, and are in their grace.
            tokio::task::yield_now().await;
            last_signal();
        }));
        assert!(poll_once(one.as_mut()).is_pending());
        assert!(poll_once(two.as_mut()).is_pending());
        raise();
        let _ = tokio::join!(one, two);
    });
    assert!(!said.contains("finalized"), "{said}");
    assert_eq!(
        said.matches("a second signal ends the process").count(),
        1,
        "{said}"
    );
}

#[test]
fn law_s4_signal_in_a_finalizer_takes_its_default() {
    dies_of_sigterm_after(law_s4_signal_in_a_finalizer_takes_its_default, || async {
        // The first one while it finalizes is heard, if late; the second one is the end.
        let plan = on_sigterm().finalizer(None, async |op: Operation| -> () {
            raise();
            op.cancelled().await;
            tokio::task::yield_now().await;
            last_signal();
        });
        let _ = plan.run(async |_| ()).await;
    });
}

/// In the child: says it on standard error.
fn print(what: &str) {
    writeln!(io::stderr(), "{what}").expect("the test reads");
}
