//! What a client gets where a call was ended by its operation, and not by whom it called.

use std::error::Error;
use std::fmt;

use cancelable::{Cancellation, Reason};

/// A call was not made, or not waited for, because the operation that made it was cancelled or has no time left.
///
/// The [`Cancellation`] is among its sources, so a retry of an operation does not try again. A client may have wrapped it;
/// [`find`](Self::find) looks through what is around it. With the feature `tonic` that crate's clients have a status of
/// `DeadlineExceeded` or `Cancelled` from it, and not of `Unknown`.
#[derive(Clone, Debug)]
pub struct CallCancelled {
    why: Cancellation,
    was_sent: bool,
    #[cfg(feature = "tonic")]
    status: tonic::Status,
}

impl CallCancelled {
    pub(super) fn not_sent(why: Cancellation) -> Self {
        Self::new(why, false)
    }

    pub(super) fn given_up(why: Cancellation) -> Self {
        Self::new(why, true)
    }

    fn new(why: Cancellation, was_sent: bool) -> Self {
        Self {
            #[cfg(feature = "tonic")]
            status: super::status::of(&why),
            why,
            was_sent,
        }
    }

    /// Finds it in `error` or in what caused that: in the `Status` of tonic, or in the error of reqwest's middleware.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref().or_else(|| find_in_middleware(error)) {
                return Some(found);
            }
            next = error.source();
        }
        None
    }

    /// Why the call was ended: as the operation was; or with reason [`Timeout`](Reason::Timeout) where less time is left than the
    /// header can say.
    pub fn cancellation(&self) -> &Cancellation {
        &self.why
    }

    /// Whether it was ended because time was up, the operation's or that of one around it.
    pub fn is_timeout(&self) -> bool {
        self.why.original().reason() == Reason::Timeout
    }

    /// Whether the request had been handed on by then. What was called may have done its work.
    pub fn was_sent(&self) -> bool {
        self.was_sent
    }
}

impl From<CallCancelled> for Cancellation {
    fn from(error: CallCancelled) -> Self {
        error.why
    }
}

impl fmt::Display for CallCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.was_sent {
            "given up"
        } else {
            "not made"
        };
        write!(f, "call {what}: {}", self.why)
    }
}

impl Error for CallCancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        #[cfg(feature = "tonic")]
        let source = &self.status;
        #[cfg(not(feature = "tonic"))]
        let source = &self.why;
        Some(source)
    }
}

/// What a middleware of reqwest's client gave, which the error around it does not name as its source.
#[cfg(feature = "reqwest")]
fn find_in_middleware<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a CallCancelled> {
    match error.downcast_ref()? {
        reqwest_middleware::Error::Middleware(error) => error.downcast_ref(),
        reqwest_middleware::Error::Reqwest(_) => None,
    }
}

#[cfg(not(feature = "reqwest"))]
fn find_in_middleware<'a>(_error: &'a (dyn Error + 'static)) -> Option<&'a CallCancelled> {
    None
}
