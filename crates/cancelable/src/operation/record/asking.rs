//! The token of an operation, and what is known of its being asked to stop.

use std::iter;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cancelable_core::{Cancellation, CancellationToken, WakerSlot};
use tokio::time::Instant;

use super::{Asked, Record};
use crate::operation::{Operation, trace};

impl Record {
    pub(crate) fn token(&self) -> &CancellationToken {
        match self.token.get() {
            Some(token) => token,
            None => self.make_tokens(),
        }
    }

    /// Makes the token, and before it those of the operations around that have none yet, from the outside in; so a line of any
    /// length fits any stack.
    #[cold]
    fn make_tokens(&self) -> &CancellationToken {
        let without: Vec<_> = self
            .reached_from()
            .take_while(|record| record.token.get().is_none())
            .collect();
        for record in without.into_iter().rev() {
            record.make_own_token();
        }
        self.token.get().expect("made just now, the last of them")
    }

    /// Makes the token below the parent's, which is there.
    fn make_own_token(&self) {
        let made = match self.above() {
            Some(above) => {
                let above = above.record.token.get();
                above.expect("made from the outside in").child_token()
            }
            None => CancellationToken::new(),
        };
        let mut waiting = self.waiting.lock();
        // Somebody else may have been faster.
        let spare = self.token.set(made).err();
        let waker = waiting.take();
        drop(waiting);
        drop(spare);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// This operation and those whose cancel reaches it, from the inside out: up to a shield.
    pub(crate) fn reached_from(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |record| {
            record.above().map(|above| &*above.record)
        })
    }

    /// The operation that it is cancelled with.
    pub(crate) fn above(&self) -> Option<&Operation> {
        self.parent.as_ref().filter(|_| self.shield.is_none())
    }

    /// Has the driver's task woken when the operation is asked to stop, and says whether it was already. `is_only` says that
    /// the driver's is the only handle: then nobody can ask before the next poll.
    #[inline]
    pub(crate) fn poll_asked(
        &self,
        is_only: bool,
        slot: &mut WakerSlot,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let token = match (self.token.get(), self.above()) {
            (Some(token), _) => token,
            // What encloses it may be asked at any time, and tells through the tokens.
            (None, Some(_)) => self.token(),
            (None, None) if is_only => return Poll::Pending,
            (None, None) => match self.wait_for_token(cx.waker()) {
                Some(token) => token,
                None => return Poll::Pending,
            },
        };
        token.poll_cancelled(slot, cx).map(drop)
    }

    /// Leaves the waker for whoever makes the token, unless that is made.
    fn wait_for_token(&self, waker: &Waker) -> Option<&CancellationToken> {
        // Cloned before and dropped after the lock is held, since both are somebody else's code.
        let new = waker.clone();
        // Relaxed: the driver's own note.
        self.has_left_waker.store(true, Ordering::Relaxed);
        let mut waiting = self.waiting.lock();
        let token = self.token.get();
        let old = match token {
            None => waiting.replace(new),
            Some(_) => Some(new),
        };
        drop(waiting);
        drop(old);
        token
    }

    /// Takes back what [`poll_asked`](Self::poll_asked) left behind, for a record that outlives its driver.
    pub(crate) fn stop_waiting(&self, slot: &mut WakerSlot) {
        if let Some(token) = self.token.get() {
            slot.clear(token);
        }
        self.take_waker();
    }

    pub(super) fn take_waker(&self) {
        let waker = self.waiting.lock().take();
        drop(waker);
    }

    /// The token, if anybody has needed it.
    pub(crate) fn token_if_made(&self) -> Option<&CancellationToken> {
        self.token.get()
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        let mut reached_from = self.reached_from();
        reached_from
            .find_map(|record| record.token.get())
            .is_some_and(CancellationToken::is_cancelled)
    }

    pub(crate) fn cancellation(&self) -> Option<Cancellation> {
        self.asked().map(|asked| asked.why.clone())
    }

    /// Tells registries that it was asked to stop, if it was.
    pub(crate) fn tell_asked(&self) {
        if let Some(Asked { why, .. }) = self.asked()
            && let Some(watched) = self.watched()
        {
            watched.asked(why);
        }
    }

    /// Notes when it was asked to stop, if it was.
    pub(crate) fn notice_ask(&self) {
        self.asked();
    }

    /// When it noticed that it was asked to stop, by the runtime's clock.
    pub(crate) fn noticed_ask(&self) -> Option<Instant> {
        self.asked().map(|asked| asked.noticed)
    }

    /// How long it may go on after what asked it to stop; `None` where that is no time at all.
    pub(crate) fn grace(&self) -> Option<Duration> {
        let duties = self.duties_if_any()?;
        duties.grace_after(&self.asked()?.why)
    }

    /// Whether it was asked to stop, and has no time left to do so by itself.
    pub(crate) fn is_out_of_grace(&self) -> bool {
        let Some(Asked { why, noticed }) = self.asked() else {
            return false;
        };
        match self.duties_if_any() {
            None => true,
            Some(duties) => match duties.grace_after(why) {
                None => true,
                Some(_) if duties.mercy_ends().is_cancelled() => true,
                // One so long that it has no end leaves all the time there is.
                Some(grace) => noticed
                    .checked_add(grace)
                    .is_some_and(|end| end <= Instant::now()),
            },
        }
    }

    fn asked(&self) -> Option<&Asked> {
        if !self.is_cancelled() {
            return None;
        }
        if let Some(asked) = self.late().asked.get() {
            return Some(asked);
        }
        // What cancelled the operations around it as well, from the outside in: each has its parent's for its cause.
        let unaware: Vec<_> = self
            .reached_from()
            .take_while(|record| record.is_cancelled() && record.late().asked.get().is_none())
            .collect();
        for record in unaware.into_iter().rev() {
            record.notice();
        }
        self.late().asked.get()
    }

    /// Notes that it was asked to stop, if what it runs in has noted that.
    fn notice(&self) {
        let mut is_first = false;
        let asked = self.late().asked.get_or_init(|| {
            is_first = true;
            let why = self.token().cancellation();
            let why = why.expect("a token that is made under a cancelled parent is cancelled");
            Asked {
                why: self.as_child(why),
                noticed: Instant::now(),
            }
        });
        if is_first && let Some(span) = self.span() {
            trace::asked(span, &asked.why);
        }
    }

    /// How long before `moment` it was asked to stop; at most for as long as it has been running.
    ///
    /// An ask is stamped by the machine's clock, and noticed by the runtime's. The machine's knows of the time until it was
    /// noticed, the runtime's of time that a test makes pass: the longer one counts.
    pub(in crate::operation) fn asked_before(
        &self,
        moment: Instant,
    ) -> Option<(Cancellation, Duration)> {
        self.notice_ask();
        self.noticed_before(moment)
    }

    /// The same, if that was [noticed](Self::notice_ask).
    pub(super) fn noticed_before(&self, moment: Instant) -> Option<(Cancellation, Duration)> {
        let Asked { why, noticed } = self.late.get()?.asked.get()?;
        let by_machine = why.instant().elapsed();
        let by_runtime = moment.saturating_duration_since(*noticed);
        let age = moment.saturating_duration_since(self.start);
        Some((why.clone(), by_machine.max(by_runtime).min(age)))
    }
}
