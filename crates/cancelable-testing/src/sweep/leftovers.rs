//! Tasks that are left behind: as many may run after a future as before it.

use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::sleep;

use super::driver::after;

/// How many tasks ran before.
pub(super) struct Leftovers {
    /// `None` where there is no runtime, and so no task.
    before: Option<(RuntimeMetrics, usize)>,
}

impl Leftovers {
    pub(super) fn look() -> Self {
        let before = Handle::try_current().ok().map(|runtime| {
            let metrics = runtime.metrics();
            let tasks = metrics.num_alive_tasks();
            (metrics, tasks)
        });
        Self { before }
    }

    /// Waits until all that was spawned since has ended, tasks and finalizers that run without the future of their run; or for
    /// as long as the patience lasts: then, how many are left.
    pub(super) async fn leave(self, patience: Duration) -> Result<(), usize> {
        let Some((metrics, before)) = self.before else {
            return Ok(());
        };
        let left = || metrics.num_alive_tasks().saturating_sub(before);
        let start = Instant::now();
        let (mut pause, mut paused) = (Duration::from_millis(1), Duration::ZERO);
        loop {
            // Most of it ends as soon as it gets its turn.
            tokio::task::yield_now().await;
            let left = left();
            if left == 0 {
                return Ok(());
            }
            if start.elapsed() >= patience {
                return Err(left);
            }
            // By the runtime's clock, which moves on its own where it is paused and nothing else is to be done; and when it
            // has moved far enough for anything that is on it, by the machine's.
            if paused < LONG {
                sleep(pause).await;
                paused += pause;
                pause *= 2;
            } else {
                after(Duration::from_millis(10)).await;
            }
        }
    }
}

const LONG: Duration = Duration::from_secs(60 * 60);
