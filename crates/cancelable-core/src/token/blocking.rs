//! Waiting for a cancel on a plain thread.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::Cancellation;
use crate::sync::{Condvar, Mutex};

use super::CancellationToken;

/// Blocks until the token is cancelled, or until the deadline if there is one.
pub(super) fn wait(token: &CancellationToken, until: Option<Instant>) -> Option<Cancellation> {
    let bell = Arc::new(Bell {
        rung: Mutex::new(false),
        ringing: Condvar::new(),
    });
    let waker = Waker::from(Arc::clone(&bell));
    let mut cancelled = pin!(token.cancelled());
    loop {
        if let Poll::Ready(why) = cancelled.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(why);
        }
        if !bell.wait(until) {
            return token.cancellation();
        }
    }
}

/// A waker for a blocked thread. A condition variable of its own rather than `park`, whose one token per thread belongs to
/// whatever else the thread's owner may be waiting for.
struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    /// Whether it rang, rather than time having run out.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut rung = self.rung.lock();
        while !*rung {
            match until {
                None => self.ringing.wait(&mut rung),
                Some(until) if Instant::now() >= until => return false,
                Some(until) => {
                    self.ringing.wait_until(&mut rung, until);
                }
            }
        }
        *rung = false;
        true
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock() = true;
        self.ringing.notify_one();
    }
}
