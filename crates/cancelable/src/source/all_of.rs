//! [`AllOf`], a join of sources.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::Cancellation;
use tokio::time::Instant;

use super::contract::{fired_at, names};
use super::{BoxedSource, Source};

/// A source that fires when every one of `sources` has, with the reason of the last, and the messages of all in the order
/// in which they fired.
///
/// None at all never fires, as a [token of none](crate::CancellationToken::all_of) does not. Its deadline is the latest, where
/// all that have not fired yet know theirs. A source that has fired is stopped there and then, so a signal has its default
/// action back before the others have fired.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use cancelable::Reason;
/// use cancelable::source::{self, Source, all_of};
/// use std::time::Duration;
///
/// let no_sooner = source::timeout(Duration::from_secs(10));
/// let nobody_left = source::condition("nobody is left", Duration::from_secs(1), || true);
/// let why = all_of([no_sooner.boxed(), nobody_left.boxed()]).await;
/// assert_eq!(why.reason(), Reason::Timeout);
/// assert_eq!(why.message(), "condition 'nobody is left' was met after 1 checks, and timed out after 10s");
/// # }
/// ```
pub fn all_of<S: Source + 'static>(sources: impl IntoIterator<Item = S>) -> AllOf {
    AllOf {
        left: sources.into_iter().map(Source::boxed).collect(),
        fired: Vec::new(),
    }
}

/// A source that fires when every one of several has; made by [`all_of`] and [`Source::and`].
#[must_use = "a source does nothing unless an operation is given it"]
pub struct AllOf {
    /// Those that have not fired yet.
    left: Vec<BoxedSource>,
    /// When those that have did so, and what they said.
    fired: Vec<(Instant, Cancellation)>,
}

impl AllOf {
    /// `ask` says of a member whether it has fired; `now` is the moment, where that is known.
    fn all(
        &mut self,
        now: Option<Instant>,
        mut ask: impl FnMut(Pin<&mut BoxedSource>) -> Option<Cancellation>,
    ) -> Option<Cancellation> {
        if self.left.is_empty() {
            return None;
        }
        let Self { left, fired } = self;
        left.retain_mut(|member| match ask(Pin::new(member)) {
            Some(why) => {
                fired.push((fired_at(member, now), why));
                false
            }
            None => true,
        });
        if !left.is_empty() {
            return None;
        }
        // Stable: of those that fired in the same instant the last given counts.
        fired.sort_by_key(|(at, _)| *at);
        let (_, last) = fired.last()?;
        if fired.len() == 1 {
            return Some(last.clone());
        }
        let messages: Vec<_> = fired.iter().map(|(_, why)| why.message()).collect();
        Some(last.clone().with_message(messages.join(", and ")))
    }
}

impl Future for AllOf {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        let all = self.all(None, |member| match member.poll(cx) {
            Poll::Ready(why) => Some(why),
            Poll::Pending => None,
        });
        all.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Source for AllOf {
    fn begin(mut self: Pin<&mut Self>, start: Instant) -> Option<Cancellation> {
        self.all(Some(start), |member| member.begin(start))
    }

    fn deadline(&self) -> Option<Instant> {
        let mut latest = self.fired.iter().map(|(at, _)| *at).max();
        for member in &self.left {
            latest = latest.max(Some(member.deadline()?));
        }
        latest
    }

    fn name(&self) -> String {
        names("all of", &self.left)
    }
}

impl fmt::Debug for AllOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fired: Vec<_> = self.fired.iter().map(|(_, why)| why).collect();
        f.debug_struct("AllOf")
            .field("left", &self.left)
            .field("fired", &fired)
            .finish()
    }
}
