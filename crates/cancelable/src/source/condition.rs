//! A condition: asked again and again until it is met.

use std::fmt::{self, Display};
use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use cancelable_core::{Cancellation, Origin};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::sleep;

use super::Source;
use crate::panic;

/// What a condition may answer: `bool`, or `Result<bool, E>` for one that may fail to find out.
#[diagnostic::on_unimplemented(
    message = "a condition cannot answer with `{Self}`",
    note = "return `bool`, or `Result<bool, E>` with an error that can be displayed"
)]
pub trait Answer {
    /// Whether the condition is met, or what went wrong.
    ///
    /// # Errors
    ///
    /// What the condition says about why it could not find out.
    fn answer(self) -> Result<bool, String>;
}

impl Answer for bool {
    fn answer(self) -> Result<bool, String> {
        Ok(self)
    }
}

impl<E: Display> Answer for Result<bool, E> {
    fn answer(self) -> Result<bool, String> {
        self.map_err(|error| error.to_string())
    }
}

/// A source that fires with reason [`Condition`](crate::Reason::Condition) when `check` answers `true`.
///
/// It is asked when the body first has to wait, and then again this long after each answer, on the runtime's pool of
/// blocking threads; so it may block, which stalls nothing but itself. It may answer with a `Result`: one that fails, or
/// panics, is logged, counted and asked again. A check that is at work when the operation ends is left to end by itself.
///
/// # Panics
///
/// If `interval` is zero.
#[track_caller]
pub fn condition<A: Answer + 'static>(
    name: impl Into<String>,
    interval: Duration,
    check: impl FnMut() -> A + Send + 'static,
) -> Condition {
    let name = name.into();
    assert!(
        !interval.is_zero(),
        "the interval of condition '{name}' is zero: give the time from one check to the next, such as \
         Duration::from_millis(100)"
    );
    Condition {
        name: name.clone(),
        asking: Box::pin(watch(name, interval, check)),
    }
}

/// A source that asks again and again; made by [`condition`].
#[must_use = "a source does nothing unless an operation is given it"]
pub struct Condition {
    name: String,
    asking: Pin<Box<dyn Future<Output = Cancellation> + Send>>,
}

impl Future for Condition {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        self.asking.as_mut().poll(cx)
    }
}

impl Source for Condition {
    fn name(&self) -> String {
        format!("condition '{}'", self.name)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.name).finish()
    }
}

async fn watch<A: Answer>(
    name: String,
    interval: Duration,
    mut check: impl FnMut() -> A + Send + 'static,
) -> Cancellation {
    let check = move || check().answer().map(|is_met| is_met.then_some(()));
    let ((), checks) = ask(&name, interval, check).await;
    let message = format!("condition '{name}' was met after {checks} checks");
    Cancellation::from_origin(Origin::condition(name)).with_message(message)
}

/// Asks at once, and again this long after each answer, until there is something; says how often it asked. On the blocking
/// pool, since `check` may block: that stalls nothing but itself (S3). One that fails, or panics, is logged and asked again.
pub(super) async fn ask<T: Send + 'static>(
    name: &str,
    interval: Duration,
    mut check: impl FnMut() -> Result<Option<T>, String> + Send + 'static,
) -> (T, u64) {
    let (mut checks, mut failures) = (0_u64, 0_u64);
    loop {
        let asked = NotBegunIsTakenBack(spawn_blocking(move || {
            let answer = panic::caught(&mut check).unwrap_or_else(Err);
            (check, answer)
        }));
        let Ok((returned, answer)) = asked.await else {
            // The runtime is shutting down and asks nobody any more.
            return pending().await;
        };
        check = returned;
        checks += 1;
        match answer {
            Ok(Some(found)) => return (found, checks),
            Ok(None) => {}
            Err(error) => {
                failures += 1;
                tracing::warn!(
                    condition = name,
                    error,
                    failures,
                    checks,
                    "a condition failed, and will be asked again"
                );
            }
        }
        sleep(interval).await;
    }
}

/// A job of the blocking pool that, if nobody waits for it any more, never begins.
struct NotBegunIsTakenBack<T>(JoinHandle<T>);

impl<T> Future for NotBegunIsTakenBack<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for NotBegunIsTakenBack<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
