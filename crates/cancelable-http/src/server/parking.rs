//! The run of a response that streams, parked where two may drive it: whoever reads the body, and, once the operation is to stop,
//! a task.
//!
//! A server whose client does not read polls no body, whatever wakes it. So the run is polled with a waker of its own, which wakes
//! the reader, and sees whether the operation was asked to stop or has no time left: then it has a task poll the run, too.
//!
//! # Invariants
//!
//! 1. **One drives at a time**: who takes the run out of its place has it until it is put back.
//! 2. **Who finds the place empty is woken when the run is put back**, or when its end is known; and nobody else, or the two would
//!    wake each other for ever.
//! 3. **The run leaves with its reader**: then nobody puts it back, and who has it drives it to its end. So the circle of the
//!    exchange, the run in it and the exchange in that is never left closed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::exchange::{Exchange, Stage};
use super::relay::Stop;

/// The future of an operation's run.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send>>;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Parking {
    /// `None` while it is polled, and while nothing is parked.
    run: Option<Run>,
    /// How it ended, or will have, for the reader.
    ended: Option<Result<(), Stop>>,
    /// Taken by the first that wakes it.
    reader: Option<Waker>,
    task: Option<Waker>,
    /// Found the place empty.
    reader_waits: bool,
    task_waits: bool,
    /// The runtime of the task, from when it may be needed on; `None` again once it was begun.
    runtime: Option<Handle>,
    /// Something has come before it was parked.
    was_woken: bool,
    /// Nobody reads any more, or there is nothing more to read.
    is_left: bool,
}

/// What the reader finds.
pub(super) enum Found {
    Run(Run),
    Ended(Result<(), Stop>),
    /// It is to be woken.
    Nothing,
}

impl<D> Exchange<D> {
    /// Has the reader's task woken, once, by whatever comes.
    pub(super) fn read_by(&self, waker: &Waker) {
        let mut slot = self.lock();
        let reader = &mut slot.parking.reader;
        if reader
            .as_ref()
            .is_some_and(|reader| reader.will_wake(waker))
        {
            return;
        }
        drop(slot);
        let waker = waker.clone();
        let old = self.lock().parking.reader.replace(waker);
        drop(old);
    }

    /// For the reader, who puts it back.
    pub(super) fn take_run(&self) -> Found {
        let parking = &mut self.lock().parking;
        match (parking.ended.take(), parking.run.take()) {
            (Some(ended), _) => Found::Ended(ended),
            (None, Some(run)) => Found::Run(run),
            (None, None) => {
                parking.reader_waits = true;
                Found::Nothing
            }
        }
    }

    /// The reader has polled it.
    pub(super) fn put_back(&self, run: Run) {
        let mut slot = self.lock();
        let parking = &mut slot.parking;
        parking.run = Some(run);
        let is_waiting = std::mem::take(&mut parking.task_waits);
        let task = parking.task.take_if(|_| is_waiting);
        drop(slot);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// The reader goes, and takes the run with it, unless the task has it.
    pub(super) fn leave(&self) -> Option<Run> {
        let mut slot = self.lock();
        let parking = &mut slot.parking;
        parking.is_left = true;
        let run = parking.run.take();
        let wakers = (parking.reader.take(), parking.task.take());
        let (ended, runtime) = (parking.ended.take(), parking.runtime.take());
        drop(slot);
        drop((wakers.0, ended, runtime));
        if let Some(task) = wakers.1 {
            task.wake();
        }
        run
    }
}

impl<D: Send + 'static> Exchange<D> {
    /// Parks the run from now on, between two polls.
    pub(super) fn park(self: &Arc<Self>, run: Run) {
        let runtime = Handle::try_current().ok();
        let mut slot = self.lock();
        slot.parking.run = Some(run);
        slot.parking.runtime = runtime;
        let was_woken = slot.parking.was_woken;
        drop(slot);
        if was_woken {
            self.drive_if_due();
        }
    }

    /// Begins the task, if the operation is to stop. A body that has panicked is gone, and its panic is the reader's.
    fn drive_if_due(self: &Arc<Self>) {
        let mut slot = self.lock();
        slot.parking.was_woken = true;
        let is_parked = slot.parking.runtime.is_some() && slot.stage == Stage::Working;
        let operation = slot.operation.clone().filter(|_| is_parked);
        drop(slot);
        let Some(operation) = operation else { return };
        let is_out_of_time = || {
            let deadline = operation.deadline();
            deadline.is_some_and(|deadline| deadline <= Instant::now())
        };
        if operation.is_cancelled() || is_out_of_time() {
            let runtime = self.lock().parking.runtime.take();
            if let Some(runtime) = runtime {
                drop(runtime.spawn(Driver::of(Arc::clone(self))));
            }
        }
    }
}

impl<D: Send + 'static> Wake for Exchange<D> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut slot = self.lock();
        let (reader, task) = (slot.parking.reader.take(), slot.parking.task.take());
        drop(slot);
        for waker in [reader, task].into_iter().flatten() {
            waker.wake();
        }
        self.drive_if_due();
    }
}

/// The task that drives a run beside its reader.
struct Driver<D> {
    exchange: Arc<Exchange<D>>,
    /// The run, once there is nobody else who might drive it.
    own: Option<Run>,
}

impl<D> Driver<D> {
    fn of(exchange: Arc<Exchange<D>>) -> Self {
        Self {
            exchange,
            own: None,
        }
    }
}

impl<D: Send + 'static> Future for Driver<D> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(run) = &mut self.own {
            return run.as_mut().poll(cx).map(drop);
        }
        // Cloned before the lock is held: somebody else's code.
        let waker = cx.waker().clone();
        let mut slot = self.exchange.lock();
        let old = slot.parking.task.replace(waker);
        let (run, is_left) = (slot.parking.run.take(), slot.parking.is_left);
        slot.parking.task_waits = run.is_none();
        drop(slot);
        drop(old);
        let Some(mut run) = run else {
            return if is_left {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        };
        let beside = Waker::from(Arc::clone(&self.exchange));
        let mut both = Context::from_waker(&beside);
        match catch_unwind(AssertUnwindSafe(|| run.as_mut().poll(&mut both))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(ended)) => {
                self.exchange.tell(ended);
                return Poll::Ready(());
            }
            // The process's hook has told of it.
            Err(_) => {
                self.exchange.tell(Err(Stop::Panicked));
                return Poll::Ready(());
            }
        }
        let ended = self.exchange.known_end();
        let mut slot = self.exchange.lock();
        if slot.parking.is_left || ended.is_some() {
            drop(slot);
            if let Some(ended) = ended {
                self.exchange.tell(ended);
            }
            self.own = Some(run);
            // From now on it is this task alone that is woken.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        slot.parking.run = Some(run);
        let is_wanted = std::mem::take(&mut slot.parking.reader_waits) || slot.frame.is_some();
        let reader = slot.parking.reader.take_if(|_| is_wanted);
        drop(slot);
        if let Some(reader) = reader {
            reader.wake();
        }
        Poll::Pending
    }
}

impl<D> Exchange<D> {
    /// Tells the reader how it ended.
    fn tell(&self, ended: Result<(), Stop>) {
        let mut slot = self.lock();
        slot.parking.ended = Some(ended);
        let reader = slot.parking.reader.take();
        drop(slot);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// How a run that is still pending will have ended for the reader: what comes now is no affair of the client's.
    pub(super) fn known_end(&self) -> Option<Result<(), Stop>> {
        let slot = self.lock();
        let stage = slot.stage;
        let operation = match stage {
            Stage::Cut => slot.operation.clone(),
            Stage::Working | Stage::Done | Stage::Panicked => None,
        };
        drop(slot);
        match stage {
            Stage::Done => Some(Ok(())),
            Stage::Cut => Some(Err(Stop::Cancelled(operation?.cancellation()?))),
            // A panic goes on once the operation has ended.
            Stage::Working | Stage::Panicked => None,
        }
    }
}
