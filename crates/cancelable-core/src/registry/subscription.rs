//! [`Subscription`], a bounded line of events; and telling all of them.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_core::Stream;
use parking_lot::{Condvar, Mutex};

use super::event::Event;
use crate::timer::call_quietly;

/// The events of a registry from the moment of [`Registry::subscribe`](crate::Registry::subscribe) on, in a line of bounded
/// length.
///
/// Whoever does not come for them in time loses the oldest, and is told how many; operations are never slowed down.
/// It ends when the last handle to its registry is gone, and the last entry with it. It is also a [`Stream`].
#[derive(Debug)]
pub struct Subscription {
    line: Arc<Line>,
    subscribers: Weak<Subscribers>,
}

/// What a subscription hears.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Heard {
    /// The next event.
    Event(Arc<Event>),
    /// So many events were lost before the next, since nobody came for them.
    Lagged(u64),
}

impl Subscription {
    /// Waits for the next event; `None` when there will be no more.
    ///
    /// # Cancel safety
    ///
    /// The future can be dropped at any time; no event is lost by that.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would have to block; this is the name that streams use"
    )]
    pub fn next(&mut self) -> impl Future<Output = Option<Heard>> + Unpin {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx))
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Heard> {
        self.line.state.lock().take()
    }

    /// Blocks this thread until there is an event; `None` when there will be no more.
    pub fn blocking_next(&mut self) -> Option<Heard> {
        self.line.wait(None)
    }

    /// The same for at most this long; `None` also when there was none in time.
    pub fn blocking_next_timeout(&mut self, limit: Duration) -> Option<Heard> {
        self.line.wait(Instant::now().checked_add(limit))
    }

    /// Whether there will be no more events, and none is left.
    pub fn is_over(&self) -> bool {
        let state = self.line.state.lock();
        state.is_closed && state.is_empty()
    }
}

impl Stream for Subscription {
    type Item = Heard;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        // Cloned before and dropped after the lock is held, since both are somebody else's code.
        let new = cx.waker().clone();
        let mut state = self.line.state.lock();
        let heard = state.take();
        let is_over = heard.is_none() && state.is_closed;
        let old = if heard.is_none() && !is_over {
            state.waker.replace(new)
        } else {
            Some(new)
        };
        drop(state);
        drop(old);
        match heard {
            None if !is_over => Poll::Pending,
            heard => Poll::Ready(heard),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(subscribers) = self.subscribers.upgrade() {
            subscribers.leave(&self.line);
        }
        let waker = self.line.state.lock().waker.take();
        drop(waker);
    }
}

/// All subscriptions of a registry.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    /// How many there are, for whoever tells to see without a lock that there is nobody. Written under the lock.
    count: AtomicUsize,
    /// Replaced whole, so that whoever tells takes it out by a count.
    lines: Mutex<Arc<[Arc<Line>]>>,
}

impl Subscribers {
    pub(super) fn join(self: &Arc<Self>, capacity: usize) -> Subscription {
        let line = Arc::new(Line {
            capacity,
            state: Mutex::default(),
            arrived: Condvar::new(),
        });
        self.change(|lines| lines.push(Arc::clone(&line)));
        Subscription {
            line,
            subscribers: Arc::downgrade(self),
        }
    }

    fn leave(&self, line: &Arc<Line>) {
        self.change(|lines| lines.retain(|other| !Arc::ptr_eq(other, line)));
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Line>>)) {
        let mut lines = self.lines.lock();
        let mut changed = lines.to_vec();
        change(&mut changed);
        // Relaxed: an event is for whoever joined before it happened, and then what makes "before" true, a lock or the like,
        // shows the count as well.
        self.count.store(changed.len(), Ordering::Relaxed);
        let old = std::mem::replace(&mut *lines, changed.into());
        drop(lines);
        drop(old);
    }

    /// Whether there is anybody to tell.
    pub(super) fn is_any(&self) -> bool {
        // Relaxed: see `change`.
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Tells everybody, if there is anybody. `event` makes it, outside every lock.
    pub(super) fn tell(&self, event: impl FnOnce() -> Event) {
        if !self.is_any() {
            return;
        }
        let event = Arc::new(event());
        let lines = Arc::clone(&self.lines.lock());
        for line in &*lines {
            line.push(&event);
        }
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        for line in &**self.lines.get_mut() {
            line.close();
        }
    }
}

/// The events of one subscription that it has not come for.
#[derive(Debug)]
struct Line {
    capacity: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Arc<Event>>,
    /// How many were lost before the first of them.
    lost: u64,
    is_closed: bool,
    waker: Option<Waker>,
}

impl Line {
    fn push(&self, event: &Arc<Event>) {
        let mut state = self.state.lock();
        let oldest = (state.events.len() >= self.capacity).then(|| state.events.pop_front());
        state.lost += u64::from(oldest.is_some());
        state.events.push_back(Arc::clone(event));
        let waker = state.waker.take();
        drop(state);
        drop(oldest);
        self.wake(waker);
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let waker = state.waker.take();
        drop(state);
        self.wake(waker);
    }

    fn wake(&self, waker: Option<Waker>) {
        self.arrived.notify_one();
        if let Some(waker) = waker {
            call_quietly(|| waker.wake());
        }
    }

    fn wait(&self, until: Option<Instant>) -> Option<Heard> {
        let mut state = self.state.lock();
        loop {
            let heard = state.take();
            if heard.is_some() || state.is_closed {
                return heard;
            }
            match until {
                None => self.arrived.wait(&mut state),
                Some(until) => {
                    if self.arrived.wait_until(&mut state, until).timed_out() {
                        return state.take();
                    }
                }
            }
        }
    }
}

impl State {
    fn take(&mut self) -> Option<Heard> {
        match std::mem::take(&mut self.lost) {
            0 => self.events.pop_front().map(Heard::Event),
            lost => Some(Heard::Lagged(lost)),
        }
    }

    fn is_empty(&self) -> bool {
        self.lost == 0 && self.events.is_empty()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("events", &self.events.len())
            .field("lost", &self.lost)
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}
