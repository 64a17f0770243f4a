//! Tests of code that may be cancelled: at every await, with a recording of events, and sources on a script.
//!
//! | to | see |
//! |---|---|
//! | cancel a future at each of its awaits, and check an invariant after each | [`Sweep`] |
//! | see what operations told of themselves, in order, and assert it | [`Recorder`] |
//! | have an operation end when the test says so, and know whether its sources were polled and dropped | [`ScriptedSource`] |
//!
//! A test that uses all of them:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use cancelable::{Cancelable, Cancellation};
//! use cancelable_testing::{Recorder, ScriptedSource, Sweep, Way};
//! use tokio::time::sleep;
//!
//! #[derive(Default)]
//! struct Lock(Arc<AtomicBool>);
//!
//! /// Holds a lock somewhere else while it works, and gives it back whatever happens.
//! async fn work(lock: &Lock, recorder: &Recorder) -> Result<(), Cancellation> {
//!     let plan = Cancelable::new().name("work").source(ScriptedSource::on_poll(3).with("had enough"));
//!     recorder
//!         .record(plan)
//!         .try_run(async |op| {
//!             let held = Arc::clone(&lock.0);
//!             op.finalizer(None, async move |_| {
//!                 sleep(Duration::from_secs(1)).await; // tells the other side
//!                 held.store(false, Relaxed);
//!             });
//!             lock.0.store(true, Relaxed);
//!             for _ in 0..5 {
//!                 sleep(Duration::from_secs(1)).await;
//!             }
//!             Ok(())
//!         })
//!         .await
//! }
//!
//! let report = Sweep::new()
//!     .run(
//!         async || (Lock::default(), Recorder::new()),
//!         async |(lock, recorder)| work(lock, recorder).await,
//!         async |(lock, recorder), cut| {
//!             assert!(!lock.0.load(Relaxed), "the lock is given back");
//!             recorder.assert_all_ended();
//!             if cut.way() == Way::LeftAlone {
//!                 recorder.assert_lines([
//!                     "work started",
//!                     "work asked: manual: had enough",
//!                     "work ended: cancelled",
//!                 ]);
//!             }
//!         },
//!     )
//!     .await;
//! // Three seconds of work, and then the finalizer.
//! assert_eq!(report.awaits(), 4);
//! # }
//! ```

mod panic;
mod recorder;
mod scripted;
mod sweep;

pub use recorder::Recorder;
pub use scripted::{Script, ScriptedSource};
pub use sweep::{Cut, Report, Sweep, SweepError, Way};
