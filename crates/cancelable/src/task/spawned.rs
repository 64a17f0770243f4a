//! The future of a spawned task: polls the user's, then asks whether it is to go.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use cancelable_core::{Cancellation, WakerSlot};
use pin_project_lite::pin_project;

use crate::operation::current::{self, Kind};
use crate::operation::{Joined, Operation, Shields};
use crate::panic::Payload;
use crate::run::stop_for;

pin_project! {
    #[project = SpawnedProjection]
    pub(super) struct Spawned<F: Future> {
        // `None` once it is gone.
        #[pin]
        future: Option<F>,
        // `None` for a shielded section.
        shields: Option<Arc<Shields>>,
        // The wakers at the operation's token, and at the one that is cancelled when its mercy ends.
        asked: WakerSlot,
        ends: WakerSlot,
        // Leaves after the future is gone.
        joined: Joined,
    }

    impl<F: Future> PinnedDrop for Spawned<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let dropped = this.drop_future();
            if let Err(payload) = dropped {
                this.joined.operation.record.duties().keep_panic(payload);
            }
            this.stop_waiting();
        }
    }
}

impl<F: Future> Spawned<F> {
    pub(super) fn new(joined: Joined, future: F) -> Self {
        Self::with(joined, future, Some(Arc::default()))
    }

    /// One that is not stopped by anything.
    pub(super) fn shielded(joined: Joined, future: F) -> Self {
        Self::with(joined, future, None)
    }

    fn with(joined: Joined, future: F, shields: Option<Arc<Shields>>) -> Self {
        Self {
            future: Some(future),
            shields,
            asked: WakerSlot::new(),
            ends: WakerSlot::new(),
            joined,
        }
    }
}

impl<F: Future> Future for Spawned<F> {
    type Output = Result<F::Output, Cancellation>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = this.entered(|mut future| {
            let running = future.as_mut().as_pin_mut();
            let polled = running
                .expect("a task is not polled after its end")
                .poll(cx);
            if polled.is_ready() {
                future.set(None);
            }
            polled
        });
        match polled {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) if this.is_to_go(cx) => {
                let operation = &this.joined.operation;
                let why = operation.cancellation();
                let why = why.expect("it is to go: cancelled");
                match this.drop_future() {
                    Ok(()) => Poll::Ready(Err(why)),
                    Err(payload) => Poll::Ready(Err(this.panicked(payload))),
                }
            }
            Ok(Poll::Pending) => Poll::Pending,
            Err(payload) => {
                let why = this.panicked(payload);
                if let Err(again) = this.drop_future() {
                    this.joined.operation.record.duties().keep_panic(again);
                }
                Poll::Ready(Err(why))
            }
        }
    }
}

impl<F: Future> SpawnedProjection<'_, F> {
    /// Whether the operation was asked to stop, and neither a grace nor a shield spares this task. Whoever changes that wakes it.
    fn is_to_go(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(shields) = self.shields else {
            return false;
        };
        let record = &self.joined.operation.record;
        let token = record.token();
        if token.poll_cancelled(self.asked, cx).is_pending() {
            return false;
        }
        let duties = record.duties();
        let is_out_of_grace = record.grace().is_none()
            || duties.mercy_ends().poll_cancelled(self.ends, cx).is_ready();
        is_out_of_grace && !shields.spare(cx)
    }

    fn drop_future(&mut self) -> Result<(), Payload> {
        self.entered(|mut future| future.set(None))
    }

    /// Does something with the future while the operation is current.
    fn entered<T>(&mut self, act: impl FnOnce(Pin<&mut Option<F>>) -> T) -> Result<T, Payload> {
        let kind = match self.shields {
            Some(shields) => Kind::Task(Arc::clone(shields)),
            None => Kind::Shield(None),
        };
        let entered = current::enter(self.joined.operation.clone(), kind);
        let future = self.future.as_mut();
        let done = catch_unwind(AssertUnwindSafe(|| act(future)));
        drop::<Operation>(entered.leave());
        done
    }

    /// Ends the operation for a panic, and says so to whoever awaits the task.
    fn panicked(&mut self, payload: Payload) -> Cancellation {
        let operation = &self.joined.operation;
        let why = stop_for(operation, &*payload);
        operation.record.duties().keep_panic(payload);
        why
    }

    fn stop_waiting(&mut self) {
        let record = &self.joined.operation.record;
        mem::take(self.asked).clear(record.token());
        mem::take(self.ends).clear(record.duties().mercy_ends());
    }
}
