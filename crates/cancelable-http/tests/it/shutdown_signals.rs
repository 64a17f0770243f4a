//! Shutdowns that begin by a signal: each scenario is a child process, which raises its own.

use std::any::type_name_of_val;
use std::future::pending;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, Output};
use std::task::{Context, Waker};
use std::time::Duration;
use std::{env, thread};

use cancelable::{Cancelable, Reason, Signal};
use cancelable_http::Shutdown;
use rustix::process::{Signal as Raised, getpid, kill_process};
use tokio::runtime::Builder;

/// Set in the environment of the child.
const IN_CHILD: &str = "CANCELABLE_SHUTDOWN_TEST_CHILD";
/// What a child says before the signal that must be its end.
const LAST: &str = "> the last signal";
/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `scenario` in a child process, this very binary, which must then die of the SIGTERM that it gets at the end. Gives what
/// it said on standard error.
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
        runtime.unwrap().block_on(async {
            scenario().await;
            let mut said = io::stderr();
            writeln!(said, "\n{LAST}").unwrap();
            raise(Raised::TERM);
            pending::<()>().await;
        });
    }
    let path = type_name_of_val(&of);
    let (_, name) = path.split_once("::").unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(IN_CHILD, "yes")
        .output();
    let Output { status, stderr, .. } = child.unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(
        said.contains(LAST),
        "it did not come so far, {status}: {said}"
    );
    assert_eq!(status.signal(), Some(Signal::TERMINATE.number()), "{said}");
    said
}

fn raise(signal: Raised) {
    kill_process(getpid(), signal).unwrap();
}

#[test]
fn law_s4_the_first_signal_begins_a_shutdown_and_the_second_ends_the_process() {
    let test = law_s4_the_first_signal_begins_a_shutdown_and_the_second_ends_the_process;
    let said = dies_of_sigterm_after(test, async || {
        let shutdown = Shutdown::on_signals().unwrap();
        // Before the task that listens has been polled.
        raise(Raised::TERM);
        let plan = shutdown.plan(Cancelable::new());
        let why = plan.run(async |op| op.cancelled().await).await.unwrap();
        assert_eq!(why.reason(), Reason::Shutdown);
        assert_eq!(why.message(), "received signal SIGTERM (15)");
        // Somebody is still running, so it has not finished, when the second comes.
        let deaf = shutdown
            .plan(Cancelable::new())
            .run(async |_| pending::<()>().await);
        assert!(deaf.await.is_err());
        tokio::task::yield_now().await;
    });
    assert!(
        said.contains("a second signal ends the process at once"),
        "{said}"
    );
}

#[test]
fn a_shutdown_that_nobody_has_any_more_holds_no_signal_back() {
    let test = a_shutdown_that_nobody_has_any_more_holds_no_signal_back;
    dies_of_sigterm_after(test, async || {
        let shutdown = Shutdown::on_signals().unwrap();
        tokio::task::yield_now().await;
        drop(shutdown);
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_shutdown_that_has_begun_by_hand_holds_no_signal_back() {
    let test = a_shutdown_that_has_begun_by_hand_holds_no_signal_back;
    dies_of_sigterm_after(test, async || {
        let shutdown = Shutdown::on_signals().unwrap();
        let mut running = Box::pin(
            shutdown
                .plan(Cancelable::new())
                .run(async |_| pending::<()>().await),
        );
        let mut cx = Context::from_waker(Waker::noop());
        assert!(running.as_mut().poll(&mut cx).is_pending());
        shutdown.begin();
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        assert!(running.as_mut().poll(&mut cx).is_pending());
    });
}
