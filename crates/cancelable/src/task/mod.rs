//! Work beside the body: tasks and threads that are the operation's own, and code that only borrows its name.

mod checkpoint;
mod handle;
mod spawned;

use std::panic::{AssertUnwindSafe, catch_unwind};

use cancelable_core::Cancellation;
use tokio::runtime::Handle;

pub use checkpoint::checkpoint;
pub use handle::TaskHandle;
use spawned::Spawned;

use crate::operation::current::{self, Kind, LeftOnDrop};
use crate::operation::{Helper, Joined, Operation};
use crate::run::stop_for;

impl Operation {
    /// Runs `future` as a task of this operation: cancelled with it, current in it, awaited before [`run`] returns.
    ///
    /// After a body that has finished, the task is awaited. After an ask it goes on for the operation's
    /// [grace](crate::Cancelable::grace), is dropped once its own [shields](Self::shield) have ended, and awaited. Its panic
    /// ends the operation Failed: the others stop, and the panic goes on where the operation was run.
    ///
    /// The handle gives what the future does; whoever does not want to know may drop it. In an operation that is over, or
    /// was asked to stop, the future is never polled, and the handle says why.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::{Cancelable, Operation};
    ///
    /// let sum = Cancelable::new()
    ///     .run(async |op| {
    ///         let two = op.spawn(async { 2 });
    ///         let three = op.spawn(async { Operation::current().map_or(0, |_| 3) });
    ///         Ok::<i32, cancelable::Cancellation>(two.await? + three.await?)
    ///     })
    ///     .await;
    /// assert_eq!(sum.unwrap(), Ok(5));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, unless the operation was started on one with finalizers.
    ///
    /// [`run`]: crate::Cancelable::run
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        match self.check().and_then(|()| self.join(Helper::Task)) {
            Ok(joined) => TaskHandle::new(runtime(self).spawn(Spawned::new(joined, future))),
            Err(why) => TaskHandle::refused(why),
        }
    }

    /// Runs `work` on a thread of the runtime's blocking pool, with this operation current.
    ///
    /// Nobody can stop a thread: it is told, and has to [`check`](Self::check) or [`checkpoint`] now and then. After a body
    /// that has finished it is awaited. After an ask it is awaited as long as the operation's
    /// [grace](crate::Cancelable::grace), 5 seconds where none is set; one that does not listen is left, and the operation
    /// stays on record as Cancelling until it ends. Its panic ends the operation Failed, as that of a task does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::{Cancelable, Cancellation, checkpoint};
    ///
    /// fn count_for_ever() -> Result<(), Cancellation> {
    ///     loop {
    ///         checkpoint()?;
    ///     }
    /// }
    ///
    /// let outcome = Cancelable::new()
    ///     .run(async |op| {
    ///         let counting = op.spawn_blocking(count_for_ever);
    ///         op.cancel_with("that is enough");
    ///         counting.await
    ///     })
    ///     .await;
    /// // The thread has ended by now.
    /// assert_eq!(outcome.unwrap_err().message(), "that is enough");
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> TaskHandle<T> {
        match self.check().and_then(|()| self.join(Helper::Thread)) {
            Ok(joined) => {
                let work = move || in_thread(&joined, work);
                TaskHandle::new(runtime(self).spawn_blocking(work))
            }
            Err(why) => TaskHandle::refused(why),
        }
    }

    /// Calls `work` with this operation current, on whichever thread this is: in the closures of a thread pool, say, so that
    /// [`checkpoint`] and [`Operation::current`] find it there.
    ///
    /// The thread is not the operation's own: nobody waits for it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use cancelable::{Cancelable, checkpoint};
    ///
    /// let checked = Cancelable::new()
    ///     .run(async |op| {
    ///         op.cancel();
    ///         std::thread::spawn(move || op.within(checkpoint)).join()
    ///     })
    ///     .await;
    /// assert!(checked.unwrap().unwrap().is_err());
    /// # }
    /// ```
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let _left = LeftOnDrop::from(current::enter(self.clone(), Kind::Thread));
        work()
    }
}

/// Runs a shielded section as a task that nobody can stop.
#[track_caller]
pub(crate) fn spawn_shielded<F>(operation: &Operation, section: F) -> TaskHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match operation.join(Helper::Task) {
        Ok(joined) => {
            let section = Spawned::shielded(joined, section);
            TaskHandle::new(runtime(operation).spawn(section))
        }
        Err(why) => TaskHandle::refused(why),
    }
}

/// Runs the function of a thread; a panic ends the operation.
fn in_thread<T>(joined: &Joined, work: impl FnOnce() -> T) -> Result<T, Cancellation> {
    let operation = &joined.operation;
    // It may have waited for a thread for long.
    operation.check()?;
    catch_unwind(AssertUnwindSafe(|| operation.within(work))).map_err(|payload| {
        let why = stop_for(operation, &*payload);
        operation.record.duties().keep_panic(payload);
        why
    })
}

#[track_caller]
fn runtime(operation: &Operation) -> Handle {
    Handle::try_current()
        .ok()
        .or_else(|| operation.record.duties().runtime())
        .expect(
            "an operation can spawn tasks and threads only on a tokio runtime: call it in a body that runs on one, or \
             enter one with `Handle::enter`",
        )
}
