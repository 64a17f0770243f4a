//! That a token that is not cancelled is asked without a lock (T10): here, since only from inside can its locks be held.

use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use crate::sync::marking;
use crate::token::CancellationToken;

/// Asks `token`, in every way that is quick, while all the locks are held that it could want.
fn is_cancelled_under_all_locks(token: &CancellationToken, parent: &CancellationToken) -> bool {
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut wait = pin!(token.cancelled());
            let mut poll = || wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            let mut answers = vec![poll().is_ready()];
            tell.send(None).expect("asked for below");
            // The last lock that is taken.
            while !parent.node.inner.is_locked() {
                thread::yield_now();
            }
            answers.push(token.is_cancelled());
            if !answers[1] {
                answers.extend([poll().is_ready(), token.check().is_err()]);
            }
            tell.send(Some(answers)).expect("waited for below");
        });
        assert_eq!(told.recv(), Ok(None), "has registered");
        let marking = marking();
        let own = token.node.inner.lock();
        let above = parent.node.inner.lock();
        // Waited for in vain by one that wants a lock, which then gets it, so that the thread ends.
        let answers = told.recv_timeout(LONG);
        drop((marking, own, above));
        let answers = answers.ok().flatten().expect("no lock was waited for");
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        answers[0]
    })
}

#[test]
fn law_t10_asking_takes_no_lock() {
    let root = CancellationToken::new();
    let child = root.child_token();
    let has_listened = child.on_cancel(|_| ());
    assert!(!is_cancelled_under_all_locks(&child, &root));
    root.cancel();
    assert!(is_cancelled_under_all_locks(&child, &root));
    drop(has_listened);
}

/// For an answer that takes no time at all, on a machine with other things to do.
const LONG: Duration = Duration::from_secs(10);
