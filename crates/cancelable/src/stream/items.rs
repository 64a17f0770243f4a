//! [`OperationStream`], item by item.
//!
//! An item costs one load of the token's state, one store of the count and two compares over the bare stream: whether there
//! is a budget, and whether something is due after this item. The count is stored for others to read, not added: a stream has
//! one owner, who knows it.
//!
//! A source that always has an item keeps the operation's future from looking at its time limit, so the stream does that, now
//! and then.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use cancelable_core::{Cancellation, CancellationToken, CancelledOwned, Progress};
use futures_core::stream::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::kept::Keeper;
use super::metered::{self, Asked, BytesOf};
use super::{Chunks, Kept};
use crate::operation::{Operation, current};

impl Operation {
    /// The items of `source` for as long as the operation is not cancelled; then the reason, and no more.
    ///
    /// Each item comes as `Ok`, and a cancel as one `Err` at the end, so a stream that ended early cannot pass for one that
    /// is done. `source` is polled only when this one is, so back-pressure is its own. A `source` that is not `Unpin`, such as
    /// an `unfold`, is pinned like any stream: `pin!(op.stream(source))`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::Cancelable;
    /// use futures_util::{StreamExt, stream};
    ///
    /// let outcome = Cancelable::new()
    ///     .run(async |op| {
    ///         let mut items = op.stream(stream::iter(1..));
    ///         let mut sum = 0;
    ///         while let Some(Ok(item)) = items.next().await {
    ///             sum += item;
    ///             if item == 10 {
    ///                 op.cancel_with("that is enough");
    ///             }
    ///         }
    ///         (sum, items.delivered(), op.cancellation())
    ///     })
    ///     .await;
    /// let (sum, count, why) = outcome.unwrap();
    /// assert_eq!((sum, count), (55, 10));
    /// assert_eq!(why.unwrap().message(), "that is enough");
    /// # }
    /// ```
    ///
    /// A `source` that is always ready keeps the operation from looking at its time limit; so the stream looks at it every 64
    /// items.
    ///
    /// # Cancel safety
    ///
    /// After a cancel no further item is taken from `source`: one that is waiting is interrupted at once, and it is dropped
    /// before the `Err` is returned. An item that `source` gave is always delivered first.
    pub fn stream<S: Stream>(&self, source: S) -> OperationStream<S> {
        // What is begun in a shielded section is not ended by what ends the operation.
        let token = match current::shielded(self) {
            Some(_) => CancellationToken::new(),
            None => self.token().clone(),
        };
        OperationStream {
            token,
            published: self.record.open_stream(),
            operation: self.clone(),
            source: Some(source),
            cancelled: None,
            count: 0,
            look_at: CLOCK_EVERY,
            clock_at: CLOCK_EVERY,
            report_every: 0,
            report_at: u64::MAX,
            keeper: None,
            is_metered: self
                .record
                .budgets()
                .is_some_and(|budgets| budgets.items.is_some()),
            bytes: None,
            is_completed: false,
        }
    }
}

pin_project! {
    /// The items of a source for as long as its operation is not cancelled; made by [`Operation::stream`].
    #[must_use = "streams do nothing unless they are polled"]
    pub struct OperationStream<S: Stream> {
        // `None` once it has ended, or the operation was cancelled.
        #[pin]
        source: Option<S>,
        token: CancellationToken,
        count: u64,
        published: Arc<AtomicU64>,
        // After how many items something is due: the least of those below, or the next where items are kept.
        look_at: u64,
        clock_at: u64,
        report_at: u64,
        report_every: u64,
        keeper: Option<Box<Keeper<S::Item>>>,
        is_metered: bool,
        // How many an item has, where there is a budget of them.
        bytes: Option<BytesOf<S::Item>>,
        operation: Operation,
        cancelled: Option<CancelledOwned>,
        is_completed: bool,
    }

    impl<S: Stream> PinnedDrop for OperationStream<S> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Closed first: a source that ends the operation as it is dropped finds the count in its place.
            this.operation.record.close_stream(this.published);
            this.source.set(None);
        }
    }
}

impl<S: Stream> OperationStream<S> {
    /// Reports progress after every `n` items, as `processed 100 items`; 0 for never. The report comes as the source gives
    /// the item, before the item is handed on.
    pub fn report_every(mut self, n: u64) -> Self {
        self.report_every = n;
        self.report_at = match n {
            0 => u64::MAX,
            _ => self.count.saturating_add(n),
        };
        self.look_at = self.look_at.min(self.report_at);
        self
    }

    /// Keeps the most recent `n` items, to be had from [`kept`](Self::kept) however the stream ends.
    pub fn keep(mut self, n: usize) -> Self
    where
        S::Item: Clone,
    {
        self.keeper = Some(Box::new(Keeper::new(n)));
        self.look_at = self.count + 1;
        self
    }

    /// Says how many bytes an item has, for an operation that has a [budget](crate::Cancelable::max_bytes) of them; where it
    /// has none, `bytes` is never called.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::Cancelable;
    /// use futures_util::{StreamExt, stream};
    ///
    /// let outcome = Cancelable::new()
    ///     .max_bytes(6)
    ///     .run(async |op| {
    ///         let words = stream::iter(["four", "five", "six"].map(str::to_owned));
    ///         let words = op.stream(words).bytes_by(|word| word.len() as u64);
    ///         words.collect::<Vec<_>>().await
    ///     })
    ///     .await
    ///     .unwrap();
    /// let [Ok(_), Ok(_), Err(why)] = &outcome[..] else { panic!() };
    /// assert_eq!(why.message(), "the budget of 6 bytes is spent");
    /// # }
    /// ```
    pub fn bytes_by(mut self, bytes: impl Fn(&S::Item) -> u64 + Send + Sync + 'static) -> Self {
        let budgets = self.operation.record.budgets();
        if budgets.is_some_and(|budgets| budgets.bytes.is_some()) {
            self.bytes = Some(Box::new(bytes));
            self.is_metered = true;
        }
        self
    }

    /// The items that [`keep`](Self::keep) keeps: a handle that outlives the stream. Always empty where none are kept.
    pub fn kept(&self) -> Kept<S::Item> {
        match &self.keeper {
            Some(keeper) => keeper.kept.clone(),
            None => Kept::with_capacity(0),
        }
    }

    /// The items in vectors of `n`, the last of which may be shorter. On a cancel, what has come so far is delivered first: to a
    /// body that is still polled then. One that its operation's own time limit or condition drops takes a chunk that has begun
    /// with it; see [`kept`](Self::kept) for what outlives that.
    ///
    /// # Panics
    ///
    /// If `n` is zero.
    #[track_caller]
    pub fn chunks(self, n: usize) -> Chunks<S> {
        Chunks::new(self, n)
    }

    /// How many items have been delivered.
    pub fn delivered(&self) -> u64 {
        self.count
    }

    /// Whether the source came to its end, rather than having been cut off.
    pub fn is_completed(&self) -> bool {
        self.is_completed
    }
}

impl<S: Stream> Stream for OperationStream<S> {
    type Item = Result<S::Item, Cancellation>;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.as_mut().project();
        let Some(source) = this.source.as_pin_mut() else {
            return Poll::Ready(None);
        };
        if this.token.is_cancelled() {
            return self.cut_off();
        }
        if *this.is_metered {
            return self.poll_metered(cx);
        }
        match source.poll_next(cx) {
            Poll::Ready(Some(item)) => Poll::Ready(Some(Ok(self.deliver(item)))),
            Poll::Ready(None) => self.complete(),
            Poll::Pending => self.wait(cx),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let most = match &self.source {
            // One more than the source has, for the reason.
            Some(source) => source.size_hint().1.and_then(|most| most.checked_add(1)),
            None => Some(0),
        };
        (0, most)
    }
}

/// What not every poll does. Each stands aside, so that the way of an item is short enough to become part of the loop that
/// takes it.
impl<S: Stream> OperationStream<S> {
    /// Counts an item that the source gave.
    #[inline]
    fn deliver(mut self: Pin<&mut Self>, item: S::Item) -> S::Item {
        let this = self.as_mut().project();
        *this.count += 1;
        // Relaxed: a count by itself, which orders nothing.
        this.published.store(*this.count, Ordering::Relaxed);
        if *this.count == *this.look_at {
            self.look(&item);
        }
        item
    }

    /// Does what is due after an item, and finds out when something is again.
    #[inline(never)]
    fn look(self: Pin<&mut Self>, item: &S::Item) {
        let this = self.project();
        let count = *this.count;
        if let Some(keeper) = this.keeper {
            keeper.keep(item);
        }
        if count == *this.report_at {
            *this.report_at = count.saturating_add(*this.report_every);
            report(this.operation, count);
        }
        if count == *this.clock_at {
            *this.clock_at = count.saturating_add(CLOCK_EVERY);
            this.operation.look_at_the_clock();
        }
        *this.look_at = match this.keeper {
            Some(_) => count + 1,
            None => (*this.clock_at).min(*this.report_at),
        };
    }

    /// A poll of a stream that spends from a budget.
    #[inline(never)]
    fn poll_metered(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<S::Item, Cancellation>>> {
        let this = self.as_mut().project();
        let (Some(source), Some(budgets)) =
            (this.source.as_pin_mut(), this.operation.record.budgets())
        else {
            return Poll::Ready(None);
        };
        match metered::ask(source, budgets, this.bytes.as_ref(), cx) {
            Asked::Item(item) => Poll::Ready(Some(Ok(self.deliver(item)))),
            Asked::Nothing => self.wait(cx),
            Asked::End => self.complete(),
            Asked::TooSoon => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Asked::Spent(why) => {
                self.operation.cancel_with(why);
                self.cut_off()
            }
        }
    }

    #[inline(never)]
    fn wait(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<S::Item, Cancellation>>> {
        let this = self.as_mut().project();
        let cancelled = this
            .cancelled
            .get_or_insert_with(|| this.token.clone().cancelled_owned());
        match Pin::new(cancelled).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => self.cut_off(),
        }
    }

    #[cold]
    fn complete(self: Pin<&mut Self>) -> Poll<Option<Result<S::Item, Cancellation>>> {
        let mut this = self.project();
        *this.is_completed = true;
        *this.cancelled = None;
        this.source.set(None);
        Poll::Ready(None)
    }

    #[cold]
    fn cut_off(self: Pin<&mut Self>) -> Poll<Option<Result<S::Item, Cancellation>>> {
        let mut this = self.project();
        *this.cancelled = None;
        this.source.set(None);
        let why = this.operation.cancellation();
        Poll::Ready(Some(Err(why.expect("its token is cancelled"))))
    }
}

impl<S: Stream> FusedStream for OperationStream<S> {
    fn is_terminated(&self) -> bool {
        self.source.is_none()
    }
}

#[cold]
fn report(operation: &Operation, count: u64) {
    operation.report_progress(Progress::new(format!("processed {count} items")).count(count));
}

impl<S: Stream> fmt::Debug for OperationStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationStream")
            .field("operation", &self.operation)
            .field("count", &self.count)
            .field("is_completed", &self.is_completed)
            .finish_non_exhaustive()
    }
}

/// How many items may pass between two looks at the clock: reading it costs as much as some twenty items.
const CLOCK_EVERY: u64 = 64;
