//! What a sweep does: every await once, in each way, whatever the clock and the runtime.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use cancelable::{Cancelable, Cancellation, Operation, Reason};
use cancelable_testing::{Sweep, Way};
use parking_lot::Mutex;
use tokio::task::{consume_budget, yield_now};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// Three awaits, each of which is noted on both of its sides.
async fn three(steps: &Cell<usize>) -> &'static str {
    for _ in 0..3 {
        sleep(SECOND).await;
        steps.set(steps.get() + 1);
    }
    "done"
}

#[tokio::test(start_paused = true)]
async fn every_await_once_in_each_way() {
    let seen = RefCell::new(Vec::new());
    let grace = Way::CancelledInGrace(Duration::from_millis(1500));
    let report = Sweep::new()
        .ways([
            Way::Dropped,
            Way::DroppedWoken,
            Way::Cancelled,
            grace,
            Way::CancelledInShield,
        ])
        .run(
            async || Cell::new(0),
            async |steps| three(steps).await,
            async |steps, cut| {
                let why = cut.cancellation().map(Cancellation::reason);
                let ended = (steps.get(), cut.value().copied(), why);
                seen.borrow_mut().push((cut.to_string(), ended));
                assert_eq!(
                    cut.awaits(),
                    3 * usize::from(cut.way() != Way::LeftAlone || cut.value().is_some())
                );
            },
        )
        .await;
    let (done, manual) = (Some("done"), Some(Reason::Manual));
    let expected = [
        ("left alone", (3, done, None)),
        ("left alone", (3, done, None)),
        ("dropped before the first poll", (0, None, None)),
        ("dropped at await 1 of 3", (0, None, None)),
        ("dropped at await 2 of 3", (1, None, None)),
        ("dropped at await 3 of 3", (2, None, None)),
        ("dropped on being woken at await 1 of 3", (0, None, None)),
        ("dropped on being woken at await 2 of 3", (1, None, None)),
        ("dropped on being woken at await 3 of 3", (2, None, None)),
        ("left alone", (3, done, None)),
        ("left alone", (3, done, None)),
        ("cancelled before the first poll", (0, None, manual)),
        ("cancelled at await 1 of 3", (0, None, manual)),
        ("cancelled at await 2 of 3", (1, None, manual)),
        ("cancelled at await 3 of 3", (2, None, manual)),
        ("left alone", (3, done, None)),
        ("left alone", (3, done, None)),
        // Cancelled before its start, a body is not polled, grace or not.
        (
            "cancelled with a grace of 1.5s before the first poll",
            (0, None, manual),
        ),
        // In a second and a half it comes to the next await, and with the last it is done.
        (
            "cancelled with a grace of 1.5s at await 1 of 3",
            (1, None, manual),
        ),
        (
            "cancelled with a grace of 1.5s at await 2 of 3",
            (2, None, manual),
        ),
        (
            "cancelled with a grace of 1.5s at await 3 of 3",
            (3, done, None),
        ),
        ("left alone", (3, done, None)),
        ("left alone", (3, done, None)),
        (
            "cancelled in a shield before the first poll",
            (0, None, manual),
        ),
        ("cancelled in a shield at await 1 of 3", (3, done, None)),
        ("cancelled in a shield at await 2 of 3", (3, done, None)),
        ("cancelled in a shield at await 3 of 3", (3, done, None)),
    ];
    let expected = expected.map(|(cut, ended)| (cut.to_owned(), ended));
    assert_eq!(seen.into_inner(), expected);
    assert_eq!(
        (report.awaits(), report.is_whole(), report.runs()),
        (3, true, 19)
    );
    assert_eq!(report.runs_of(grace), 4);
    assert_eq!(
        report.to_string(),
        "3 awaits: dropped 4 times, dropped on being woken 3 times, cancelled 4 times, cancelled with a grace of 1.5s 4 times, \
         cancelled in a shield 4 times"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_cancelled_and_the_future_left_to_end_by_itself() {
    let seen = RefCell::new(Vec::new());
    let report = Sweep::new()
        .run_with_token(
            async || Cell::new(0),
            async |steps, token| {
                while steps.get() < 3 && !token.is_cancelled() {
                    sleep(SECOND).await;
                    steps.set(steps.get() + 1);
                }
                token.cancellation().map(|why| why.message().into_owned())
            },
            async |steps, cut| {
                if cut.way() == Way::TokenCancelled {
                    let said = cut.value().and_then(Option::as_deref).map(str::to_owned);
                    seen.borrow_mut().push((steps.get(), said.unwrap()));
                }
            },
        )
        .await;
    let said = |at| format!("cancelled at await {at} by a sweep");
    let expected = [(0, said(0)), (1, said(1)), (2, said(2)), (3, said(3))];
    assert_eq!(seen.into_inner(), expected);
    assert_eq!(report.runs_of(Way::TokenCancelled), 4);
    assert_eq!(report.runs_of(Way::Dropped), 4);
    assert_eq!(report.runs_of(Way::DroppedWoken), 3);
}

/// A desk that puts an item into the hands of whoever waits for it.
#[derive(Default)]
struct Desk {
    waiting: Mutex<Option<Waker>>,
    hands: Mutex<Option<u8>>,
    lost: AtomicUsize,
}

/// Waits at a desk.
struct Customer<'a>(&'a Desk);

impl Customer<'_> {
    fn poll(&self, cx: &Context<'_>) -> Poll<u8> {
        if let Some(item) = self.0.hands.lock().take() {
            return Poll::Ready(item);
        }
        *self.0.waiting.lock() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Customer<'_> {
    fn drop(&mut self) {
        self.0.waiting.lock().take();
        let is_lost = self.0.hands.lock().is_some();
        self.0.lost.fetch_add(is_lost.into(), Ordering::Relaxed);
    }
}

/// Dropped between the wake and the poll it takes the item with it, and only then.
#[tokio::test]
async fn what_is_handed_over_with_the_wake_goes_with_the_future() {
    let sweep = |way| {
        Sweep::new().ways([way]).try_run(
            async || Arc::new(Desk::default()),
            async |desk| {
                let giving = Arc::clone(desk);
                drop(tokio::spawn(async move {
                    let waiting = giving.waiting.lock().take();
                    if let Some(waker) = waiting {
                        *giving.hands.lock() = Some(7);
                        waker.wake();
                    }
                }));
                let customer = Customer(desk);
                poll_fn(|cx| customer.poll(cx)).await
            },
            async |desk, _| assert_eq!(desk.lost.load(Ordering::Relaxed), 0),
        )
    };
    assert_eq!(sweep(Way::Dropped).await.unwrap().awaits(), 1);
    assert_eq!(sweep(Way::Cancelled).await.unwrap().awaits(), 1);
    let found = sweep(Way::DroppedWoken).await.unwrap_err();
    assert_eq!((found.at(), found.is_broken_invariant()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn hours_of_a_paused_clock_are_waited_out() {
    let start = Instant::now();
    let report = Sweep::new()
        .patience(Duration::from_secs(30))
        .run(
            async || (),
            async |()| {
                sleep(Duration::from_secs(7200)).await;
                sleep(Duration::from_secs(7200)).await;
            },
            async |(), _| (),
        )
        .await;
    assert_eq!(report.awaits(), 2);
    assert!(start.elapsed() < Duration::from_secs(30));
}

/// Woken by a thread, on a runtime of several: each await is one all the same, as long as it gives way for sure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_and_a_thread_will_do() {
    let report = Sweep::new()
        .run(
            async || Cell::new(0),
            async |steps| {
                for _ in 0..2 {
                    let mut thread = None;
                    poll_fn(|cx| match thread.take() {
                        Some(_) => Poll::Ready(()),
                        None => {
                            let waker = cx.waker().clone();
                            thread = Some(thread::spawn(|| waker.wake()));
                            Poll::Pending
                        }
                    })
                    .await;
                    steps.set(steps.get() + 1);
                }
            },
            async |steps, _| assert!(steps.get() <= 2),
        )
        .await;
    assert_eq!((report.awaits(), report.runs()), (2, 8));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn no_runtime_will_do() {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut sweep = pin!(Sweep::new().run(
        async || (),
        async |()| {
            yield_now().await;
            yield_now().await;
        },
        async |(), _| yield_now().await,
    ));
    let report = loop {
        match sweep.as_mut().poll(&mut cx) {
            Poll::Ready(report) => break report,
            Poll::Pending => thread::park(),
        }
    };
    assert_eq!((report.awaits(), report.runs()), (2, 8));
}

#[tokio::test(start_paused = true)]
async fn tasks_are_awaited_before_the_check() {
    let report = Sweep::new()
        .run(
            async || Arc::new(Mutex::new((0, 0))),
            async |counts| {
                let _ = Cancelable::new()
                    .run(async |op| {
                        let cleaning = Arc::clone(counts);
                        counts.lock().0 += 1;
                        op.finalizer(None, async move |_| {
                            sleep(SECOND).await;
                            cleaning.lock().1 += 1;
                        });
                        let working = Arc::clone(counts);
                        counts.lock().0 += 1;
                        let own = op.clone();
                        drop(op.spawn(async move {
                            own.shield(sleep(2 * SECOND)).await;
                            pending::<()>().await;
                            drop(working);
                        }));
                        sleep(SECOND).await;
                        op.cancel();
                        sleep(SECOND).await;
                    })
                    .await;
            },
            async |counts, _| {
                let (begun, cleaned) = *counts.lock();
                assert_eq!(begun, 2 * cleaned);
                assert_eq!(Arc::strong_count(counts), 1, "the task is gone");
            },
        )
        .await;
    assert!(report.awaits() >= 3, "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_sweep_is_no_part_of_the_operation_that_it_runs_in() {
    let outcome = Cancelable::new()
        .run(async |around| {
            let sweep = Sweep::new().ways([Way::Cancelled]).run(
                async || (),
                async |()| {
                    let current = Operation::current().expect("in that of the sweep");
                    assert_eq!(current.context().parent_id, None);
                    sleep(SECOND).await;
                },
                async |(), _| (),
            );
            assert_eq!(sweep.await.runs(), 2);
            around.is_cancelled()
        })
        .await;
    assert_eq!(outcome, Ok(false));
}

/// A waker that an earlier run has left somewhere is not taken for this one's.
#[tokio::test(start_paused = true)]
async fn what_wakes_an_earlier_run_is_no_await_of_this_one() {
    let left = Arc::new(Mutex::new(Vec::<Waker>::new()));
    let report = Sweep::new()
        .run(
            async || (),
            async |()| {
                let earlier = std::mem::take(&mut *left.lock());
                drop(tokio::spawn(async move {
                    sleep(SECOND / 2).await;
                    earlier.into_iter().for_each(Waker::wake);
                }));
                sleep(SECOND).await;
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                left.lock().push(waker);
            },
            async |(), _| (),
        )
        .await;
    assert_eq!(report.awaits(), 1);
}

/// The budget of cooperative scheduling makes for awaits as well, and for the same in each run.
#[tokio::test]
async fn each_run_has_a_budget_of_its_own() {
    let report = Sweep::new()
        .leave_tasks()
        .run(
            async || (),
            async |()| {
                for _ in 0..200 {
                    consume_budget().await;
                }
            },
            async |(), _| (),
        )
        .await;
    assert_eq!(report.awaits(), 1);
}

#[tokio::test]
async fn the_first_awaits_of_one_that_has_no_end() {
    let polls = AtomicUsize::new(0);
    let report = Sweep::new()
        .at_most(5)
        .run(
            async || (),
            async |()| {
                for _ in 0..5 {
                    polls.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
                pending::<()>().await;
            },
            async |(), _| (),
        )
        .await;
    assert!(!report.is_whole());
    assert_eq!((report.awaits(), report.runs_of(Way::DroppedWoken)), (5, 4));
    assert!(
        report.to_string().starts_with("5 awaits and more: "),
        "{report}"
    );
    // One that ends before that is swept whole.
    let sweep = Sweep::new().at_most(5);
    let report = sweep.run(async || (), async |()| yield_now().await, async |(), _| ());
    assert!(report.await.is_whole());
}
