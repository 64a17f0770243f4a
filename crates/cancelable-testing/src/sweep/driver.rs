//! Polling a future by count: each time that it is pending is an await.
//!
//! It is polled only when its own waker was woken, so a wake-up that is left over from an earlier run, or is for what runs
//! beside it, does not count. After each poll the task gives way for real, so that tasks beside it run as they would.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use cancelable::{CancellationToken, CancelledOwned};
use parking_lot::Mutex;

use super::place::Stacks;
use crate::panic;

/// A future that is driven by hand.
pub(super) struct Driver<'a, T> {
    /// `None` once it is gone.
    future: Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
    bell: Arc<Bell>,
    waker: Waker,
    awaits: usize,
    patience: Duration,
}

/// What went wrong with a future.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    Panicked(String),
    PanickedAsDropped(String),
    /// Nothing has woken it for this long.
    Stuck(Duration),
}

impl<'a, T> Driver<'a, T> {
    pub(super) fn new(future: Pin<Box<dyn Future<Output = T> + 'a>>, patience: Duration) -> Self {
        let bell = Arc::new(Bell::rung());
        Self {
            future: Some(future),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
            awaits: 0,
            patience,
        }
    }

    /// How often it has given way.
    pub(super) fn awaits(&self) -> usize {
        self.awaits
    }

    /// Polls it until it has given way so often in all, or has ended: then there is its value.
    pub(super) async fn run_to(&mut self, awaits: usize) -> Result<Option<T>, Fault> {
        if self.awaits >= awaits {
            return Ok(None);
        }
        let mut patience = Patience::new(self.patience);
        poll_fn(|cx| {
            if self.bell.heard(cx) {
                patience.begin_anew();
                match self.poll() {
                    Ok(Poll::Ready(value)) => return Poll::Ready(Ok(Some(value))),
                    Ok(Poll::Pending) if self.awaits >= awaits => return Poll::Ready(Ok(None)),
                    Ok(Poll::Pending) => {}
                    Err(fault) => return Poll::Ready(Err(fault)),
                }
            }
            // If it has woken itself in that poll, it has woken this task as well.
            patience.poll(cx).map(Err)
        })
        .await
    }

    /// Waits until it is to be polled again.
    pub(super) async fn be_woken(&mut self) -> Result<(), Fault> {
        let mut patience = Patience::new(self.patience);
        poll_fn(|cx| {
            if self.bell.heard(cx) {
                return Poll::Ready(Ok(()));
            }
            patience.poll(cx).map(Err)
        })
        .await
    }

    /// Polls it once more, and looks at the stacks of whoever waits then.
    pub(super) async fn poll_seen(&mut self) -> Stacks {
        let stacks = Stacks::default();
        if self.be_woken().await.is_ok() {
            self.waker = stacks.looking_waker(self.waker.clone());
            // Whatever comes of it is known from another run.
            let _ = self.poll();
        }
        stacks
    }

    /// Drops it.
    pub(super) fn let_go(&mut self) -> Result<(), Fault> {
        let future = self.future.take();
        catch_unwind(AssertUnwindSafe(|| drop(future)))
            .map_err(|payload| Fault::PanickedAsDropped(panic::said(&*payload)))
    }

    fn poll(&mut self) -> Result<Poll<T>, Fault> {
        let future = self.future.as_mut();
        let future = future
            .expect("a future that is gone is not polled")
            .as_mut();
        let mut cx = Context::from_waker(&self.waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx)));
        match polled {
            Ok(Poll::Pending) => {
                self.awaits += 1;
                Ok(Poll::Pending)
            }
            Ok(ready) => self.let_go().map(|()| ready),
            Err(payload) => {
                let fault = Fault::Panicked(panic::said(&*payload));
                // The first panic is the one to tell.
                let _ = self.let_go();
                Err(fault)
            }
        }
    }
}

/// What wakes a future's driver, and remembers it.
#[derive(Debug)]
struct Bell {
    state: Mutex<Rung>,
}

#[derive(Debug)]
struct Rung {
    is_rung: bool,
    task: Option<Waker>,
}

impl Bell {
    /// Rung already, for the first poll.
    fn rung() -> Self {
        let rung = Rung {
            is_rung: true,
            task: None,
        };
        Self {
            state: Mutex::new(rung),
        }
    }

    /// Whether it was rung since this was last asked; the task is woken when it is again.
    fn heard(&self, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        let old = state.task.replace(waker);
        let was_rung = std::mem::take(&mut state.is_rung);
        drop(state);
        drop(old);
        was_rung
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let mut state = self.state.lock();
        state.is_rung = true;
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Bounds a wait by the machine's clock, on which a paused one has no hold: that one would be moved on to the end of the
/// patience whenever the runtime has nothing to do.
pub(super) struct Patience {
    limit: Duration,
    ends: Option<CancelledOwned>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, ends: None }
    }

    fn begin_anew(&mut self) {
        self.ends = None;
    }

    /// Ready when it is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        let limit = self.limit;
        let ends = self.ends.get_or_insert_with(|| after(limit));
        Pin::new(ends).poll(cx).map(|_| Fault::Stuck(limit))
    }
}

/// Ready after so long by the machine's clock.
pub(super) fn after(time: Duration) -> CancelledOwned {
    let token = CancellationToken::new();
    token.cancel_after(time);
    token.cancelled_owned()
}
