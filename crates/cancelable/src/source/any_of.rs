//! [`AnyOf`], a race of sources.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use cancelable_core::Cancellation;
use tokio::time::Instant;

use super::contract::{fired_at, names};
use super::{BoxedSource, Source};

/// A source that fires with the first of `sources`, with that one's reason and message.
///
/// When several are found to have fired at once, that is the one which was due first, and of those that do not know or were
/// due in the same instant, the first given. None at all never fires. Its deadline is the earliest that is known.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use cancelable::source::{self, any_of};
/// use std::time::Duration;
///
/// let limits = [30, 10, 20].map(|secs| source::timeout(Duration::from_secs(secs)));
/// assert_eq!(any_of(limits).await.message(), "timed out after 10s");
/// # }
/// ```
pub fn any_of<S: Source + 'static>(sources: impl IntoIterator<Item = S>) -> AnyOf {
    AnyOf {
        members: sources.into_iter().map(Source::boxed).collect(),
        fired_at: None,
    }
}

/// A source that fires with the first of several; made by [`any_of`] and [`Source::or`].
#[must_use = "a source does nothing unless an operation is given it"]
pub struct AnyOf {
    /// Gone once one has fired: so all have stopped.
    members: Vec<BoxedSource>,
    fired_at: Option<Instant>,
}

impl AnyOf {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Takes them out, so that whoever drops them decides how.
    pub(crate) fn take_members(&mut self) -> Vec<BoxedSource> {
        std::mem::take(&mut self.members)
    }

    /// `ask` says of a member whether it has fired; `now` is the moment, where that is known.
    fn first(
        &mut self,
        now: Option<Instant>,
        mut ask: impl FnMut(Pin<&mut BoxedSource>) -> Option<Cancellation>,
    ) -> Option<Cancellation> {
        let mut first: Option<(Instant, Cancellation)> = None;
        for member in &mut self.members {
            // After one that has fired only those matter that were due before.
            if let Some((before, _)) = &first
                && member.deadline().is_none_or(|due| due >= *before)
            {
                continue;
            }
            if let Some(why) = ask(Pin::new(member)) {
                let at = fired_at(member, now);
                if first.as_ref().is_none_or(|(before, _)| at < *before) {
                    first = Some((at, why));
                }
            }
        }
        let (at, why) = first?;
        self.fired_at = Some(at);
        self.members.clear();
        Some(why)
    }
}

impl Future for AnyOf {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        let first = self.first(None, |member| match member.poll(cx) {
            Poll::Ready(why) => Some(why),
            Poll::Pending => None,
        });
        first.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Source for AnyOf {
    fn begin(mut self: Pin<&mut Self>, start: Instant) -> Option<Cancellation> {
        self.first(Some(start), |member| member.begin(start))
    }

    fn deadline(&self) -> Option<Instant> {
        let known = self.members.iter().filter_map(Source::deadline);
        self.fired_at.or_else(|| known.min())
    }

    fn name(&self) -> String {
        names("any of", &self.members)
    }
}

impl fmt::Debug for AnyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AnyOf").field(&self.members).finish()
    }
}
