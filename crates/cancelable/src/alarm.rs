//! A moment to wait for that needs no runtime: on its clock where there is one, else on the core's own timer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::{CancellationToken, CancelledOwned};
use tokio::runtime::Handle;
use tokio::task::{Unconstrained, unconstrained};
use tokio::time::{Instant, Sleep, sleep_until};

/// Ready once its moment has come.
pub(crate) enum Alarm {
    /// Outside the budget of cooperative scheduling, which what it limits may use up.
    OfRuntime(Pin<Box<Unconstrained<Sleep>>>),
    OfCore(CancelledOwned),
}

impl Alarm {
    /// To be polled where it is made.
    pub(crate) fn at(moment: Instant) -> Self {
        // A runtime may be without a clock, and says so by a panic.
        let of_runtime = Handle::try_current().ok().and_then(|_| {
            catch_unwind(AssertUnwindSafe(|| {
                Box::pin(unconstrained(sleep_until(moment)))
            }))
            .ok()
        });
        of_runtime.map_or_else(
            || {
                let token = CancellationToken::new();
                token.cancel_after(moment.saturating_duration_since(Instant::now()));
                Self::OfCore(token.cancelled_owned())
            },
            Self::OfRuntime,
        )
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::OfRuntime(sleep) => sleep.as_mut().poll(cx),
            Self::OfCore(cancelled) => Pin::new(cancelled).poll(cx).map(drop),
        }
    }
}
