//! A cancellation in its written form: itself, and flat behind it the chain of what caused it, so that one of any length
//! needs no stack.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::cause::Root;
use super::{Cancellation, Origin, Reason};
use crate::serial;

/// A cancellation as it is written: what it says itself, and its `causes`, the nearest first.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    first: Link,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<Link>,
}

/// One in a chain of causes; or several, which say alike that the parent was cancelled.
#[derive(Serialize, Deserialize)]
struct Link {
    reason: Reason,
    origin: Origin,
    message: Cow<'static, str>,
    #[serde(with = "serial::time")]
    at: SystemTime,
    /// How many generations of children it stands for; zero where it is not a parent's.
    #[serde(default, skip_serializing_if = "is_zero")]
    generations: u32,
}

impl Serialize for Cancellation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut links = Vec::new();
        let mut next = Some(self);
        while let Some(Self { root, depth }) = next {
            if *depth > 0 {
                let shown = Self {
                    root: root.clone(),
                    depth: *depth,
                };
                // No tree is that deep: it would not fit any memory.
                let generations = u32::try_from(*depth).unwrap_or(u32::MAX);
                links.push(Link::of(&shown, generations));
            }
            let own = Self {
                root: root.clone(),
                depth: 0,
            };
            links.push(Link::of(&own, 0));
            next = root.cause.as_ref();
        }
        let causes = links.split_off(1);
        let first = links.remove(0);
        Written { first, causes }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cancellation {
    /// What is read is another event than the one that was written, so the two are not equal. Its
    /// [`instant`](Cancellation::instant) follows from its time by the wall clocks of both sides.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { first, causes } = Written::deserialize(deserializer)?;
        let mut cause = None;
        for link in causes.into_iter().rev() {
            cause = Some(link.onto(cause).map_err(de::Error::custom)?);
        }
        first.onto(cause).map_err(de::Error::custom)
    }
}

impl Link {
    fn of(shown: &Cancellation, generations: u32) -> Self {
        Self {
            reason: shown.reason(),
            origin: shown.origin().clone(),
            message: Cow::Owned(shown.message().into_owned()),
            at: shown.at(),
            generations,
        }
    }

    /// The cancellation that this one describes, with its cause.
    fn onto(self, cause: Option<Cancellation>) -> Result<Cancellation, &'static str> {
        if self.generations > 0 {
            let cause = cause.ok_or("generations of parents without the cause that they share")?;
            return Ok(cause.below(self.generations as usize));
        }
        let is_own = self.message != self.origin.message(self.reason);
        Ok(Cancellation::at_root(Root {
            message: is_own.then_some(self.message),
            reason: self.reason,
            origin: self.origin,
            monotonic: instant(self.at),
            wall_clock: self.at,
            cause,
        }))
    }
}

/// The moment by the monotonic clock: one that lies ahead, or too far back for that clock, is now.
fn instant(at: SystemTime) -> Instant {
    let now = Instant::now();
    let ago = SystemTime::now().duration_since(at).unwrap_or_default();
    now.checked_sub(ago).unwrap_or(now)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks it of a reference"
)]
fn is_zero(generations: &u32) -> bool {
    *generations == 0
}
