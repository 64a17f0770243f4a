//! Two that drive one run by turns, whoever reads a response and a task: `parking.rs` of `cancelable-http`, as it is.
//!
//! It stands on std alone and knows of no lock, so it is explored here, where no server need be built for the model checker. The
//! place, the lock and the run are this model's; they do what the exchange and an operation do. That a run is never polled by
//! two at once is no matter of a model: it is owned by who polls it.

#[path = "../../../cancelable-http/src/server/parking.rs"]
mod protocol;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::future::block_on;
use loom::sync::Mutex;
use loom::thread;

use super::{Bell, explore, poll, start};
use protocol::{Driver, Held, Parking, Place, Read, Shared};

/// Where a run is parked, with all that is known of it: one lock, as the exchange has.
struct Spot {
    slot: Mutex<Slot>,
    tasks: Mutex<Vec<thread::JoinHandle<()>>>,
}

struct Slot {
    parking: Parking<Run, End, ()>,
    frame: bool,
    is_asked: bool,
    is_over: bool,
    has_cleaned_up: bool,
    /// Whom a change of what stands here wakes.
    waker: Option<Waker>,
    ended: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Asked,
}

/// An operation's run, which keeps its place, as it does there.
struct Run {
    spot: Arc<Spot>,
    work: Work,
}

#[derive(Default)]
struct Work {
    frames: usize,
    /// It goes on after the ask, to its last frame.
    has_grace: bool,
    /// Something is to be cleaned up once it was asked, which is no affair of the reader's.
    lingers: bool,
    /// The same, before it is over.
    is_shielded: bool,
}

impl Future for Run {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let new = cx.waker().clone();
        let spot = Arc::clone(&self.spot);
        let mut slot = spot.slot.lock().unwrap();
        let old = slot.waker.replace(new);
        let is_held = self.work.is_shielded && !slot.has_cleaned_up;
        let polled = if slot.is_asked && is_held {
            Poll::Pending
        } else if slot.is_asked && !self.work.has_grace {
            slot.is_over = true;
            match self.work.lingers && !slot.has_cleaned_up {
                true => Poll::Pending,
                false => Poll::Ready(End::Asked),
            }
        } else if slot.frame {
            Poll::Pending
        } else if self.work.frames > 0 {
            self.work.frames -= 1;
            slot.frame = true;
            Poll::Pending
        } else if slot.is_asked {
            Poll::Ready(End::Whole)
        } else {
            Poll::Pending
        };
        if polled.is_ready() {
            slot.ended += 1;
        }
        drop(slot);
        drop(old);
        polled
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let waker = self.spot.slot.lock().unwrap().waker.take();
        drop(waker);
    }
}

impl Place for Spot {
    type Run = Run;
    type End = End;
    type Runtime = ();

    fn locked<T>(&self, f: impl FnOnce(Held<'_, Self>) -> T) -> T {
        let mut slot = self.slot.lock().unwrap();
        let (has_frame, is_over) = (slot.frame, slot.is_over);
        f(Held {
            parking: &mut slot.parking,
            has_frame,
            is_over,
        })
    }

    fn known_end(&self) -> Option<End> {
        self.slot.lock().unwrap().is_over.then_some(End::Asked)
    }

    fn is_to_stop(&self) -> bool {
        let slot = self.slot.lock().unwrap();
        slot.is_asked && !slot.is_over
    }
}

impl Shared for Spot {
    fn spawn(self: &Arc<Self>, (): (), driver: Driver<Self>) {
        let task = thread::spawn(move || block_on(driver));
        self.tasks.lock().unwrap().push(task);
    }

    fn panicked() -> End {
        unreachable!("none panics")
    }
}

impl Wake for Spot {
    fn wake(self: Arc<Self>) {
        protocol::wake(&self);
    }
}

impl Spot {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            slot: Mutex::new(Slot {
                parking: Parking::default(),
                frame: false,
                is_asked: false,
                is_over: false,
                has_cleaned_up: false,
                waker: None,
                ended: 0,
            }),
            tasks: Mutex::default(),
        })
    }

    /// Asks the run to stop, or tells it whatever this changes.
    fn tell(&self, change: impl FnOnce(&mut Slot)) {
        let mut slot = self.slot.lock().unwrap();
        change(&mut slot);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn ask(&self) {
        self.tell(|slot| slot.is_asked = true);
    }

    fn join_tasks(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        for task in tasks {
            task.join().unwrap();
        }
    }

    /// The run has ended, once, and nothing keeps anything of it.
    fn check_end(self: Arc<Self>) {
        self.join_tasks();
        assert_eq!(self.slot.lock().unwrap().ended, 1);
        assert_eq!(Arc::strong_count(&self), 1);
    }
}

/// Reads to the end; what of the run goes on without it comes with that.
struct Reader {
    spot: Arc<Spot>,
    waker: Waker,
    frames: usize,
}

impl Reader {
    /// Has a run parked that was polled once, and asked by another thread meanwhile.
    fn of(spot: &Arc<Spot>, work: Work) -> (Self, thread::JoinHandle<()>) {
        let spot = Arc::clone(spot);
        let mut run = Run {
            spot: Arc::clone(&spot),
            work,
        };
        let waker = Waker::from(Arc::clone(&spot));
        protocol::read_by(&*spot, Waker::noop());
        assert!(poll(&mut run, &waker).is_pending());
        let asker = start({
            let spot = Arc::clone(&spot);
            move || spot.ask()
        });
        protocol::park(&spot, run, Some(()));
        let reader = Self {
            spot,
            waker,
            frames: 0,
        };
        (reader, asker)
    }

    fn take_frame(&mut self) -> bool {
        let frame = std::mem::take(&mut self.spot.slot.lock().unwrap().frame);
        self.frames += usize::from(frame);
        frame
    }

    /// Reads no more; what is left of the run.
    fn leave(self) -> Option<Run> {
        let (run, _) = protocol::leave(&*self.spot);
        run
    }
}

impl Future for Reader {
    type Output = (End, Option<Run>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let (end, rest) = match protocol::read(&*self.spot, cx.waker(), &self.waker, || true) {
                Read::Pending if self.take_frame() => continue,
                Read::Pending => return Poll::Pending,
                Read::Ended(end) => (end, None),
                Read::Over(end, run) => (end, Some(run)),
            };
            // It is read no more, and so needs no wake.
            let (run, _) = protocol::leave(&*self.spot);
            assert!(run.is_none());
            self.take_frame();
            return Poll::Ready((end, rest));
        }
    }
}

#[test]
fn law_o1_a_parked_run_that_is_asked_ends_for_its_reader() {
    explore(|| {
        let spot = Spot::new();
        let (mut reader, asker) = Reader::of(&spot, Work::default());
        let (end, rest) = block_on(&mut reader);
        assert_eq!(end, End::Asked);
        assert!(rest.is_none());
        asker.join().unwrap();
        drop(reader);
        spot.check_end();
    });
}

#[test]
fn law_o1_a_parked_run_that_is_asked_ends_though_nobody_reads() {
    explore(|| {
        let spot = Spot::new();
        let (mut reader, asker) = Reader::of(&spot, Work::default());
        asker.join().unwrap();
        spot.join_tasks();
        assert_eq!(spot.slot.lock().unwrap().ended, 1);
        assert!(poll(&mut reader, Waker::noop()).is_ready());
        drop(reader);
        spot.check_end();
    });
}

#[test]
fn law_o1_a_parked_run_that_is_asked_ends_though_its_reader_stops_reading() {
    explore(|| {
        let spot = Spot::new();
        let (mut reader, asker) = Reader::of(&spot, Work::default());
        let (bell, waker) = Bell::new();
        let polled = poll(&mut reader, &waker);
        asker.join().unwrap();
        spot.join_tasks();
        if polled.is_pending() {
            assert!(bell.has_rung());
            assert!(poll(&mut reader, &waker).is_ready());
        }
        drop(reader);
        spot.check_end();
    });
}

#[test]
fn law_o5_a_shield_of_a_parked_run_ends_though_nobody_reads() {
    explore(|| {
        let spot = Spot::new();
        let shielded = Work {
            is_shielded: true,
            ..Work::default()
        };
        let (mut reader, asker) = Reader::of(&spot, shielded);
        let polled = poll(&mut reader, Waker::noop());
        assert!(polled.is_pending());
        asker.join().unwrap();
        spot.tell(|slot| slot.has_cleaned_up = true);
        spot.join_tasks();
        assert!(poll(&mut reader, Waker::noop()).is_ready());
        drop(reader);
        spot.check_end();
    });
}

#[test]
fn law_t6_a_parked_run_leaves_with_its_reader() {
    explore(|| {
        let spot = Spot::new();
        let (mut reader, asker) = Reader::of(&spot, Work::default());
        let (_bell, waker) = Bell::new();
        let polled = poll(&mut reader, &waker);
        // As a reader that is at its end has left already.
        if let Some(run) = reader.leave() {
            assert!(polled.is_pending());
            spot.ask();
            assert_eq!(block_on(run), End::Asked);
        }
        asker.join().unwrap();
        spot.check_end();
    });
}

#[test]
fn law_o3_what_a_parked_run_has_to_clean_up_is_not_waited_for_and_done() {
    explore(|| {
        let spot = Spot::new();
        let lingering = Work {
            lingers: true,
            ..Work::default()
        };
        let (mut reader, asker) = Reader::of(&spot, lingering);
        let (end, rest) = block_on(&mut reader);
        assert_eq!(end, End::Asked);
        spot.tell(|slot| slot.has_cleaned_up = true);
        if let Some(rest) = rest {
            block_on(rest);
        }
        asker.join().unwrap();
        drop(reader);
        spot.check_end();
    });
}

#[test]
fn law_o6_who_reads_on_has_all_that_a_parked_run_gives_in_its_grace() {
    explore(|| {
        let spot = Spot::new();
        let with_frames = Work {
            frames: 2,
            has_grace: true,
            ..Work::default()
        };
        let (mut reader, asker) = Reader::of(&spot, with_frames);
        let (end, _) = block_on(&mut reader);
        assert_eq!((end, reader.frames), (End::Whole, 2));
        asker.join().unwrap();
        drop(reader);
        spot.check_end();
    });
}
