//! What a sweep finds, and how it says so: what was done, at which await of how many, and what is wrong.

use std::cell::Cell;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use cancelable::CancellationToken;
use cancelable_testing::{Sweep, SweepError, Way};
use futures_util::FutureExt;
use tokio::task::yield_now;
use tokio::time::sleep;

/// Has a sweep that does not wait for long find something in `body`.
async fn find(ways: &[Way], body: impl AsyncFn(&Cell<usize>)) -> SweepError {
    let sweep = Sweep::new().patience(Duration::from_millis(20));
    let sweep = sweep.ways(ways.iter().copied());
    let found = sweep.try_run(
        async || Cell::new(0),
        body,
        async |steps, _| assert!(steps.get() % 2 == 0, "half way at {}", steps.get()),
    );
    found.await.expect_err("there is something to find")
}

#[track_caller]
fn check(found: &SweepError, is_it: bool, said: &str) {
    assert!(is_it, "{found:?}");
    assert!(found.to_string().starts_with(said), "{found}");
}

#[tokio::test]
async fn an_invariant_that_does_not_hold() {
    let body = async |steps: &Cell<usize>| {
        for _ in 0..4 {
            yield_now().await;
            steps.set(steps.get() + 1);
        }
    };
    let found = find(&[Way::Dropped], body).await;
    let said = "dropped at await 2 of 4: the check failed: half way at 1";
    check(&found, found.is_broken_invariant(), said);
    assert_eq!((found.way(), found.at()), (Way::Dropped, 2));

    let found = find(&[Way::Cancelled], body).await;
    // It is polled once more.
    let said = "cancelled at await 1 of 4: the check failed: half way at 1";
    check(&found, found.is_broken_invariant(), said);
    // All that it does is done.
    let sweep = Sweep::new().ways([Way::CancelledInShield]);
    let state = async || Cell::new(0);
    let whole = sweep.run(state, body, async |steps, cut| {
        assert_eq!(steps.get(), if cut.value().is_some() { 4 } else { 0 });
    });
    assert_eq!(whole.await.runs(), 5);
}

#[tokio::test]
async fn an_invariant_that_never_holds() {
    let found = find(&[Way::Dropped], async |steps| {
        yield_now().await;
        steps.set(1);
    });
    let found = found.await;
    let said = "left alone: the check failed: half way at 1";
    check(&found, found.is_broken_invariant(), said);
}

#[tokio::test]
async fn a_check_that_never_ends() {
    let sweep = Sweep::new().patience(Duration::from_millis(20));
    let found = sweep.try_run(
        async || (),
        async |()| yield_now().await,
        async |(), _| pending().await,
    );
    let found = found.await.unwrap_err();
    check(
        &found,
        found.is_broken_invariant(),
        "left alone: the check failed: it waited for 20ms",
    );
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_not_woken() {
    let found = find(&[Way::Dropped], async |_| {
        yield_now().await;
        pending().await
    });
    let found = found.await;
    check(
        &found,
        found.is_endless(),
        "left alone: for 20ms nothing has woken it",
    );
    // Once the token is cancelled.
    let sweep = Sweep::new().patience(Duration::from_millis(20));
    let found = sweep.ways([Way::TokenCancelled]).try_run_with_token(
        async || (),
        async |(), token: CancellationToken| {
            sleep(Duration::from_secs(3600)).await;
            if token.is_cancelled() {
                pending().await
            }
        },
        async |(), _| (),
    );
    let found = found.await.unwrap_err();
    check(
        &found,
        found.is_endless(),
        "its token cancelled before the first poll: for 20ms",
    );
}

#[tokio::test]
async fn a_future_that_goes_on_for_ever() {
    let found = find(&[Way::Dropped], async |_| {
        loop {
            yield_now().await;
        }
    });
    let found = found.await;
    check(
        &found,
        found.is_endless(),
        "left alone: it gave way 1000 times and has not ended",
    );
    let found = Sweep::new().ways([Way::TokenCancelled]).try_run_with_token(
        async || (),
        async |(), token: CancellationToken| {
            yield_now().await;
            while token.is_cancelled() {
                yield_now().await;
            }
        },
        async |(), _| (),
    );
    let found = found.await.unwrap_err();
    let said = "its token cancelled before the first poll: it gave way 1000 times";
    check(&found, found.is_endless(), said);
}

#[tokio::test]
async fn a_future_without_an_await() {
    let found = find(&[Way::Dropped], async |_| ()).await;
    check(
        &found,
        !found.is_endless(),
        "left alone: the future was ready at its first poll",
    );
}

#[tokio::test]
async fn runs_that_differ() {
    let run = Cell::new(0);
    let body = async |extra: usize| {
        run.set(run.get() + 1);
        for _ in 0..(3 + extra) {
            yield_now().await;
        }
    };
    let found = find(&[Way::Dropped], async |_| body(run.get()).await).await;
    let said = "left alone: it gave way 3 times, and 4 the next time: awaits have numbers only";
    check(&found, found.is_nondeterminism(), said);
    // Both that were left alone were the same.
    run.set(0);
    let ways = [Way::Dropped];
    let found = find(&ways, async |_| match run.get() {
        0..4 => body(0).await,
        _ => run.set(run.get() + 1),
    });
    let found = found.await;
    let said = "dropped at await 3 of 3: it ended before that, having given way 0 times";
    check(&found, found.is_nondeterminism(), said);
}

#[tokio::test]
async fn a_panic() {
    let run = Cell::new(0);
    let found = find(&[Way::Dropped], async |_| {
        run.set(run.get() + 1);
        yield_now().await;
        assert!(run.get() < 2, "run {}", run.get());
    });
    let found = found.await;
    check(
        &found,
        found.is_panic(),
        "left alone: the future panicked: run 2",
    );

    struct Touchy(bool);
    impl Drop for Touchy {
        fn drop(&mut self) {
            assert!(self.0, "dropped at a bad moment");
        }
    }
    let found = find(&[Way::Dropped], async |_| {
        let mut touchy = Touchy(false);
        yield_now().await;
        touchy.0 = true;
    });
    let found = found.await;
    let said = "dropped at await 1 of 1: the future panicked as it was dropped: dropped at a bad";
    check(&found, found.is_panic(), said);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_left_behind() {
    let body = async |_: &Cell<usize>| {
        yield_now().await;
        let task = tokio::spawn(pending::<()>());
        yield_now().await;
        task.abort();
    };
    let found = find(&[Way::Dropped], body).await;
    let said = "dropped at await 2 of 2: 1 more task runs than before, 20ms after";
    check(&found, found.is_leak(), said);
    // One that ends by itself is waited for, by the runtime's clock.
    let state = async || Cell::new(0);
    let short = async |_: &Cell<usize>| {
        yield_now().await;
        drop(tokio::spawn(sleep(Duration::from_secs(60))));
    };
    let report = Sweep::new().run(state, short, async |_, _| ()).await;
    assert_eq!(report.awaits(), 1);
    let report = Sweep::new().leave_tasks().run(state, body, async |_, _| ());
    assert_eq!(report.await.awaits(), 2);
}

#[tokio::test]
async fn a_future_that_has_no_token() {
    let found = find(&[Way::TokenCancelled], async |_| yield_now().await).await;
    let said =
        "its token cancelled before the first poll: the future was given no token: sweep it by";
    check(&found, !found.is_panic(), said);
}

#[tokio::test]
#[should_panic(expected = "`at_most(0)` would sweep nothing")]
async fn a_bound_of_nothing() {
    let _ = Sweep::new().at_most(0);
}

#[tokio::test]
#[should_panic(expected = "`ways` was given none")]
async fn no_way_at_all() {
    let _ = Sweep::new().ways([]);
}

#[tokio::test]
async fn a_run_panics_with_all_of_it() {
    let line = line!() + 1;
    let run = Sweep::new().run(
        async || (),
        async |()| yield_now().await,
        async |(), cut| {
            assert!(cut.at() == 0, "it was {cut}");
        },
    );
    let panic = AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    let (text, place) = text.rsplit_once('\n').unwrap();
    let is_at = format!("await 1 is at ./tests/it/findings.rs:{}:32", line + 2);
    assert_eq!(place, is_at);
    let expected = format!(
        "the sweep at {}:{line}:{} found a fault\ndropped at await 1 of 1: the check failed: it was dropped at await 1 of 1",
        file!(),
        28
    );
    assert_eq!(text, expected);
}

/// By the line tables of the build: where the innermost of the user's own futures waits, and where all of them do that wait side by side.
#[tokio::test(start_paused = true)]
async fn where_it_waits_is_told() {
    async fn inner() {
        sleep(Duration::from_secs(1)).await;
    }
    const INNER: u32 = line!() - 2;
    async fn outer(steps: &Cell<usize>) {
        inner().await;
        steps.set(1);
        let (_sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let receive = async {
            let _ = receiver.await;
        };
        tokio::select! {
            () = inner() => steps.set(2),
            () = receive => unreachable!("nobody sends"),
        }
    }
    const RECEIVE: u32 = line!() - 7;
    let place = |lines: &[u32]| {
        let places = lines.iter().map(|line| format!("findings.rs:{line}:"));
        places.collect::<Vec<_>>()
    };
    for way in [Way::Dropped, Way::Cancelled] {
        let found = find(&[way], outer).await;
        assert_eq!((found.way(), found.at()), (way, 2));
        let said = found.place().unwrap();
        for place in place(&[INNER, RECEIVE]) {
            assert!(said.contains(&place), "{said}");
        }
        assert!(found.to_string().ends_with(said), "{found}");
    }
    // One that is not woken any more.
    let found = find(&[Way::Dropped], async |_| {
        yield_now().await;
        pending::<()>().await
    });
    let found = found.await;
    // Nobody has kept the waker, so nobody is seen.
    assert_eq!((found.is_endless(), found.place()), (true, None));
    let found = find(&[Way::Dropped], async |_| {
        let (_sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let _ = receiver.await;
    });
    let found = found.await;
    assert!(found.is_endless());
    let line = line!() - 4;
    assert!(
        found.place().unwrap().contains(&place(&[line])[0]),
        "{found}"
    );
}
