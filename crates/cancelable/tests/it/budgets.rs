//! S1 and I1 with budgets: as many items as were granted, none of them lost; and time, for streams that always have an item.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel as std_channel;
use std::task::{Context, Poll};
use std::thread;

use cancelable::{Cancelable, Cancellation, Operation, OperationStatus, Origin, Reason, source};
use futures_util::stream::{self, Stream};
use futures_util::{FutureExt as _, StreamExt};
use tokio::sync::mpsc;

use crate::support::{Log, Woken, compute_for, heard, poll_once, secs};

/// What a stream gives: the items, and why it was cut off, if it was.
async fn all<T>(
    items: impl Stream<Item = Result<T, Cancellation>>,
) -> (Vec<T>, Option<Cancellation>) {
    let mut items = pin!(items);
    let mut got = Vec::new();
    while let Some(next) = items.next().await {
        match next {
            Ok(item) => got.push(item),
            Err(why) => return (got, Some(why)),
        }
    }
    (got, None)
}

/// The same items from a source that does not say how many it has.
fn unknown<T>(items: impl IntoIterator<Item = T>) -> impl Stream<Item = T> + Unpin {
    let mut items = items.into_iter();
    stream::poll_fn(move |_| Poll::Ready(items.next()))
}

#[tokio::test]
async fn law_i1_as_many_items_as_were_granted_and_none_is_lost() {
    async fn check(budget: u64, items: u32, delivered: u32, is_cut_off: bool) {
        let (send, mut source) = mpsc::unbounded_channel();
        (0..items).for_each(|item| send.send(item).unwrap());
        drop(send);
        let run = Cancelable::new().max_items(budget).run(async |op| {
            let receiver = &mut source;
            let source = stream::poll_fn(|cx| receiver.poll_recv(cx));
            let (got, why) = all(op.stream(source)).await;
            assert!(got.into_iter().eq(0..delivered), "{budget} of {items}");
            assert_eq!(why.is_some(), is_cut_off, "{budget} of {items}");
            why
        });
        if let Some(why) = run.await.unwrap() {
            assert_eq!(why.reason(), Reason::Condition);
            let unit = if budget == 1 { "item" } else { "items" };
            assert_eq!(
                why.message(),
                format!("the budget of {budget} {unit} is spent")
            );
        }
        // The next one is still there.
        assert_eq!(
            source.recv().await,
            (delivered < items).then_some(delivered)
        );
    }
    check(3, 9, 3, true).await;
    check(1, 9, 1, true).await;
    check(0, 9, 0, true).await;
    check(4, 3, 3, false).await;
    check(u64::MAX, 3, 3, false).await;
    // A channel cannot say that it has no more.
    check(3, 3, 3, true).await;
}

#[tokio::test]
async fn law_i1_a_source_that_says_that_it_has_no_more_may_end() {
    let run = |budget: u64| {
        let plan = Cancelable::new().max_items(budget);
        plan.run(async |op| all(op.stream(stream::iter(0..3))).await.1.is_some())
    };
    assert!(!run(3).await.unwrap());
    assert!(run(2).await.unwrap());
}

#[tokio::test]
async fn law_s1_a_budget_is_shared_by_streams_handles_and_code_without_a_stream() {
    let log = Log::default();
    let run = heard(&log).max_items(7).run(async |op| {
        let other = op.clone();
        let mut one = op.stream(unknown(1..));
        let mut two = other.stream(unknown(1..));
        assert_eq!(one.next().await, Some(Ok(1)));
        assert_eq!(two.next().await, Some(Ok(1)));
        assert_eq!(op.spend_items(2), Ok(()));
        // Not as many are left: none is spent by one that is refused while it is asked of a child's.
        let inner = Cancelable::new().run(async |inner| {
            assert_eq!(inner.spend_items(100), Ok(()));
            all(inner.stream(stream::iter(0..100))).await.0.len()
        });
        assert_eq!(inner.await.unwrap(), 100, "an inner one has its own");
        let (got, why) = all(one).await;
        assert_eq!(got, [2, 3, 4]);
        let why = why.unwrap();
        assert_eq!(two.next().await, Some(Err(why.clone())));
        assert_eq!(op.spend_items(1), Err(why.clone()));
        assert_eq!(op.context().items, 5);
        why
    });
    let why = run.await.unwrap();
    assert!(matches!(why.origin(), Origin::Condition { name, .. } if name == "budget of 7 items"));
    assert_eq!(log.take(), ["start running", "complete completed"]);

    let op = Cancelable::new().max_items(5).max_items(9).enter_blocking();
    assert_eq!(op.spend_items(4), Ok(()));
    assert_eq!(op.spend_items(0), Ok(()));
    assert_eq!(
        op.spend_items(2).unwrap_err().message(),
        "the budget of 5 items is spent"
    );
    assert_eq!(op.status(), OperationStatus::Cancelling);
}

#[tokio::test]
async fn law_s1_an_item_that_goes_beyond_the_bytes_is_delivered_and_is_the_last() {
    async fn check(budget: u64, delivered: usize, is_cut_off: bool) {
        let plan = Cancelable::new().max_bytes(budget);
        let run = plan.run(async |op| {
            let source = unknown(["four", "five", "six"]);
            let words = op.stream(source).bytes_by(|word| word.len() as u64);
            let (got, why) = all(words).await;
            assert_eq!(got.len(), delivered, "{budget}");
            assert_eq!(why.is_some(), is_cut_off, "{budget}");
            why
        });
        if let Some(why) = run.await.unwrap() {
            let said = format!("the budget of {budget} bytes is spent");
            assert_eq!((why.reason(), &*why.message()), (Reason::Condition, &*said));
        }
    }
    check(0, 0, true).await;
    check(3, 1, true).await;
    check(4, 1, true).await;
    check(5, 2, true).await;
    check(10, 3, true).await;
    check(11, 3, true).await;
    check(12, 3, false).await;

    let op = Cancelable::new()
        .max_bytes(100)
        .combine(Cancelable::new().max_bytes(10).max_items(3))
        .enter_blocking();
    assert_eq!(op.spend_bytes(10), Ok(()));
    assert_eq!(op.spend_items(3), Ok(()));
    // Nobody said how many bytes these have.
    let mut unweighed = op.stream(stream::iter([1, 2]));
    assert!(
        matches!(poll_once(pin!(unweighed.next())), Poll::Ready(Some(Err(why))) if why.message() == "the budget of 3 items is spent")
    );
    let op = Cancelable::new().detached().max_bytes(0).enter_blocking();
    let mut unweighed = op.stream(unknown([1]));
    assert_eq!(poll_once(pin!(unweighed.next())), Poll::Ready(Some(Ok(1))));
    assert!(op.spend_bytes(1).is_err());
}

#[tokio::test]
async fn law_i1_a_share_goes_back_where_no_item_came_of_it() {
    let op = Cancelable::new().max_items(2).enter_blocking();
    let mut idle = op.stream(stream::pending::<u32>());
    for _ in 0..5 {
        assert!(poll_once(pin!(idle.next())).is_pending());
    }
    let panics = stream::poll_fn(|_| -> Poll<Option<u32>> { panic!("no item") });
    let mut panics = op.stream(panics);
    let next = std::panic::AssertUnwindSafe(panics.next());
    assert!(next.catch_unwind().await.is_err());
    assert!(op.stream(unknown([0; 0])).next().await.is_none());
    let (got, why) = all(op.stream(unknown(1..))).await;
    assert_eq!((got, why.is_some()), (vec![1, 2], true));
}

/// Two streams one in the other spend twice, and the last one that is left ends both rather than have them wait for each other.
#[tokio::test]
async fn law_s1_a_stream_of_a_stream_comes_to_its_end() {
    for budget in 0..9 {
        let plan = Cancelable::new().max_items(budget);
        let run = plan.run(async |op| {
            let inner = op.stream(unknown(1..));
            all(op.stream(inner)).await
        });
        let (got, why) = run.await.unwrap();
        let delivered = got.iter().filter(|item| item.is_ok()).count() as u64;
        assert_eq!(delivered, budget / 2, "of {budget}");
        assert!(why.is_some() || got.last().is_some_and(Result::is_err));
    }
}

#[test]
fn law_s1_who_asks_while_the_last_one_is_open_waits_for_it() {
    let op = Cancelable::new().max_items(1).enter_blocking();
    let mut here = op.stream(unknown([7, 8]));
    let (asked, was_asked) = std_channel();
    let (go_on, may_go_on) = std_channel::<Poll<Option<u32>>>();
    let mut there = op.stream(stream::poll_fn(move |_| {
        asked.send(()).unwrap();
        may_go_on.recv().unwrap()
    }));
    let worker = thread::spawn(move || {
        let none_yet = poll_once(pin!(there.next())).is_pending();
        (none_yet, there)
    });
    was_asked.recv().unwrap();
    let (woken, waker) = Woken::new();
    let mut cx = Context::from_waker(&waker);
    assert!(here.poll_next_unpin(&mut cx).is_pending());
    assert_eq!(woken.times(), 1);
    go_on.send(Poll::Pending).unwrap();
    let (none_yet, mut there) = worker.join().unwrap();
    assert!(none_yet);
    assert_eq!(here.poll_next_unpin(&mut cx), Poll::Ready(Some(Ok(7))));
    assert!(matches!(
        poll_once(pin!(there.next())),
        Poll::Ready(Some(Err(_)))
    ));
    drop((here, op));

    // One that was taken on another thread is not open any more.
    let op = Cancelable::new().max_items(1).enter_blocking();
    let mut there = op.stream(unknown([7, 8]));
    let taken = thread::spawn(move || poll_once(pin!(there.next())).is_ready());
    assert!(taken.join().unwrap());
    let mut here = op.stream(unknown([7, 8]));
    assert!(matches!(
        poll_once(pin!(here.next())),
        Poll::Ready(Some(Err(_)))
    ));
}

/// Has an item in every second poll.
struct NowAndThen(bool);

impl Stream for NowAndThen {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.0 = !self.0;
        if self.0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(()))
    }
}

#[test]
fn law_s1_hammer_streams_of_many_threads_spend_one_budget() {
    for round in 0..200 {
        let budget = round % 7 + 1;
        let op = Cancelable::new().max_items(budget).enter_blocking();
        let operation: Operation = op.clone();
        let delivered = Arc::new(AtomicU64::new(0));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (operation, delivered) = (operation.clone(), Arc::clone(&delivered));
                thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build();
                    runtime.unwrap().block_on(async {
                        let (got, why) = all(operation.stream(NowAndThen(false))).await;
                        delivered.fetch_add(got.len() as u64, Ordering::SeqCst);
                        why.unwrap().message().into_owned()
                    })
                })
            })
            .collect();
        for worker in workers {
            let said = worker.join().unwrap();
            assert!(said.ends_with("is spent"), "{said}");
        }
        assert_eq!(delivered.load(Ordering::SeqCst), budget);
    }
}

#[tokio::test(start_paused = true)]
async fn law_o2_a_stream_that_is_always_ready_does_not_escape_the_limit() {
    async fn endless(op: Operation) -> (u64, Cancellation) {
        let mut items = op.stream(stream::repeat(()));
        loop {
            compute_for(secs(1));
            match items.next().await {
                Some(Ok(())) => {
                    assert!(items.delivered() < 10_000, "it escaped");
                }
                Some(Err(why)) => break (items.delivered(), why),
                None => unreachable!("it never ends"),
            }
        }
    }
    let limited = || Cancelable::new().timeout(secs(100));
    let (delivered, why) = limited().run(endless).await.unwrap();
    assert_eq!(why.message(), "timed out after 100s");
    assert!((100..=200).contains(&delivered), "{delivered}");

    // What a source knows, and the limit of what is around it.
    let by_source = Cancelable::new().source(source::timeout(secs(9)));
    let (_, why) = by_source.run(endless).await.unwrap();
    assert_eq!(why.message(), "timed out after 9s");
    let outer = limited().run(async |outer: Operation| {
        let inner = Cancelable::new().timeout(secs(5_000)).run(endless);
        let (_, why) = inner.await.unwrap();
        assert!(outer.is_cancelled());
        why
    });
    let why = outer.await.unwrap();
    assert_eq!(why.reason(), Reason::Parent);
    assert_eq!(why.root_cause().message(), "timed out after 100s");
}
