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
//!    place, the run in it and the place in that is never left closed.
//! 4. **No foreign code under the lock**: wakers are cloned, woken and dropped outside.
//!
//! Nothing in here knows of requests, or of the lock that it stands under: so models explore it as it is, with a place of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What is parked in a place; everything in here is done under the lock of that.
pub(super) struct Parking<R, E, T> {
    /// `None` while it is polled, and while nothing is parked.
    run: Option<R>,
    /// How it ended, or will have, for the reader.
    ended: Option<E>,
    /// Taken by the first that wakes it.
    reader: Option<Waker>,
    task: Option<Waker>,
    /// Found the place empty.
    reader_waits: bool,
    task_waits: bool,
    /// Where the task runs, from when it may be needed on; `None` again once it was begun.
    runtime: Option<T>,
    /// Something has come before it was parked.
    was_woken: bool,
    /// Nobody reads any more, or there is nothing more to read.
    is_left: bool,
}

/// What has a run parked, under its lock.
pub(super) trait Place: Sized {
    type Run: Future<Output = Self::End> + Unpin;
    type End;
    type Runtime;

    /// One critical section.
    fn locked<T>(&self, f: impl FnOnce(Held<'_, Self>) -> T) -> T;

    /// How a run that is still pending will have ended for the reader, if that is known.
    fn known_end(&self) -> Option<Self::End>;

    /// Whether the run is at work and has to end, be it read or not.
    fn is_to_stop(&self) -> bool;
}

/// A place whose run a task may drive as well.
pub(super) trait Shared: Place + Wake + Send + Sync + 'static {
    fn spawn(self: &Arc<Self>, runtime: Self::Runtime, driver: Driver<Self>);

    /// The end of a run that has panicked.
    fn panicked() -> Self::End;
}

/// A place, locked.
pub(super) struct Held<'a, P: Place> {
    pub(super) parking: &'a mut Parking<P::Run, P::End, P::Runtime>,
    /// Whether there is something for the reader.
    pub(super) has_frame: bool,
    /// Whether the end may be [known](Place::known_end).
    pub(super) is_over: bool,
}

/// What the reader comes to.
pub(super) enum Read<P: Place> {
    /// It is woken by what comes. Whether there is a frame it sees for itself.
    Pending,
    Ended(P::End),
    /// The same, and the run goes on without it.
    Over(P::End, P::Run),
}

/// What the reader finds.
enum Found<R, E> {
    Run(R),
    Ended(E),
    /// It is to be woken.
    Nothing,
}

/// Has the reader's task woken, once, by whatever comes.
pub(super) fn read_by<P: Place>(place: &P, waker: &Waker) {
    if place.locked(|held| held.parking.is_read_by(waker)) {
        return;
    }
    let waker = waker.clone();
    let old = place.locked(|held| held.parking.reader.replace(waker));
    drop(old);
}

/// Parks the run from now on, between two polls.
pub(super) fn park<P: Shared>(place: &Arc<P>, run: P::Run, runtime: Option<P::Runtime>) {
    let was_woken = place.locked(|held| {
        held.parking.run = Some(run);
        held.parking.runtime = runtime;
        held.parking.was_woken
    });
    if was_woken {
        drive_if_due(place);
    }
}

/// One poll by the reader, whom `reader` wakes; `waker` is the place's own. Keeps the run where nobody may go on with it.
pub(super) fn read<P: Place>(
    place: &P,
    reader: &Waker,
    waker: &Waker,
    may_go_on: impl FnOnce() -> bool,
) -> Read<P> {
    let mut run = match take(place, reader) {
        Found::Run(run) => run,
        Found::Ended(ended) => return Read::Ended(ended),
        Found::Nothing => return Read::Pending,
    };
    if let Poll::Ready(ended) = poll(&mut run, waker) {
        return Read::Ended(ended);
    }
    let Some(run) = put_back(place, run, false) else {
        return Read::Pending;
    };
    match place.known_end() {
        Some(ended) if may_go_on() => Read::Over(ended, run),
        _ => {
            put_back(place, run, true);
            Read::Pending
        }
    }
}

/// For the reader, who puts it back.
fn take<P: Place>(place: &P, reader: &Waker) -> Found<P::Run, P::End> {
    let at_once = place.locked(|held| {
        let parking = held.parking;
        parking.is_read_by(reader).then(|| parking.take())
    });
    if let Some(found) = at_once {
        return found;
    }
    let reader = reader.clone();
    let (old, found) = place.locked(|held| {
        let old = held.parking.reader.replace(reader);
        (old, held.parking.take())
    });
    drop(old);
    found
}

/// The reader has polled it. Gives it back where its end may be known, unless it `must` stay.
fn put_back<P: Place>(place: &P, run: P::Run, must: bool) -> Option<P::Run> {
    let task = place.locked(
        |Held {
             parking, is_over, ..
         }| {
            if is_over && !must {
                return Err(run);
            }
            parking.run = Some(run);
            let is_waiting = std::mem::take(&mut parking.task_waits);
            Ok(parking.task.take_if(|_| is_waiting))
        },
    );
    match task {
        Err(run) => Some(run),
        Ok(task) => {
            if let Some(task) = task {
                task.wake();
            }
            None
        }
    }
}

/// The reader goes, and takes the run with it, unless the task has it; and its waker, where nothing has woken it since it came.
pub(super) fn leave<P: Place>(place: &P) -> (Option<P::Run>, Option<Waker>) {
    let (run, reader, task, unwanted) = place.locked(|Held { parking, .. }| {
        parking.is_left = true;
        let unwanted = (parking.ended.take(), parking.runtime.take());
        let wakers = (parking.reader.take(), parking.task.take());
        (parking.run.take(), wakers.0, wakers.1, unwanted)
    });
    drop(unwanted);
    if let Some(task) = task {
        task.wake();
    }
    (run, reader)
}

/// What the place's own waker does.
pub(super) fn wake<P: Shared>(place: &Arc<P>) {
    let (reader, task, may_be_due) = place.locked(|Held { parking, .. }| {
        parking.was_woken = true;
        let may_be_due = parking.runtime.is_some();
        (parking.reader.take(), parking.task.take(), may_be_due)
    });
    for waker in [reader, task].into_iter().flatten() {
        waker.wake();
    }
    if may_be_due {
        drive_if_due(place);
    }
}

/// Begins the task, once, if the operation is to stop.
fn drive_if_due<P: Shared>(place: &Arc<P>) {
    if !place.is_to_stop() {
        return;
    }
    let runtime = place.locked(|held| held.parking.runtime.take());
    if let Some(runtime) = runtime {
        let driver = Driver {
            place: Arc::clone(place),
            own: None,
        };
        place.spawn(runtime, driver);
    }
}

/// The task that drives a run beside its reader.
pub(super) struct Driver<P: Place> {
    place: Arc<P>,
    /// The run, once there is nobody else who might drive it.
    own: Option<P::Run>,
}

impl<P: Shared> Future for Driver<P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(run) = &mut self.own {
            return Pin::new(run).poll(cx).map(drop);
        }
        let waker = cx.waker().clone();
        let (old, run, is_left) = self.place.locked(|Held { parking, .. }| {
            let old = parking.task.replace(waker);
            let run = parking.run.take();
            parking.task_waits = run.is_none();
            (old, run, parking.is_left)
        });
        drop(old);
        let Some(mut run) = run else {
            return if is_left {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        };
        let beside = Waker::from(Arc::clone(&self.place));
        match catch_unwind(AssertUnwindSafe(|| poll(&mut run, &beside))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(ended)) => {
                tell(&*self.place, ended);
                return Poll::Ready(());
            }
            // The process's hook has told of it.
            Err(_) => {
                tell(&*self.place, P::panicked());
                return Poll::Ready(());
            }
        }
        let ended = self.place.known_end();
        let is_known = ended.is_some();
        if let Some(ended) = ended {
            tell(&*self.place, ended);
        }
        let put_back = self.place.locked(|held| {
            let parking = held.parking;
            if is_known || parking.is_left {
                return Err(run);
            }
            parking.run = Some(run);
            let is_wanted = std::mem::take(&mut parking.reader_waits) || held.has_frame;
            Ok(parking.reader.take_if(|_| is_wanted))
        });
        match put_back {
            Ok(reader) => {
                if let Some(reader) = reader {
                    reader.wake();
                }
            }
            Err(run) => {
                self.own = Some(run);
                // From now on it is this task alone that is woken.
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }
}

/// Tells the reader how it ended.
fn tell<P: Place>(place: &P, ended: P::End) {
    let reader = place.locked(|held| {
        held.parking.ended = Some(ended);
        held.parking.reader.take()
    });
    if let Some(reader) = reader {
        reader.wake();
    }
}

fn poll<R: Future + Unpin>(run: &mut R, waker: &Waker) -> Poll<R::Output> {
    Pin::new(run).poll(&mut Context::from_waker(waker))
}

impl<R, E, T> Parking<R, E, T> {
    fn is_read_by(&self, waker: &Waker) -> bool {
        let reader = self.reader.as_ref();
        reader.is_some_and(|reader| reader.will_wake(waker))
    }

    fn take(&mut self) -> Found<R, E> {
        if let Some(ended) = self.ended.take() {
            return Found::Ended(ended);
        }
        match self.run.take() {
            Some(run) => Found::Run(run),
            None => {
                self.reader_waits = true;
                Found::Nothing
            }
        }
    }
}

impl<R, E, T> Default for Parking<R, E, T> {
    fn default() -> Self {
        Self {
            run: None,
            ended: None,
            reader: None,
            task: None,
            reader_waits: false,
            task_waits: false,
            runtime: None,
            was_woken: false,
            is_left: false,
        }
    }
}
