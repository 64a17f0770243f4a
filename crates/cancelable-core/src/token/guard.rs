//! Guards that cancel a token when they are dropped.

use crate::{Cancellation, Origin};

use super::CancellationToken;

/// Cancels its token when it is dropped, with reason [`Dropped`](crate::Reason::Dropped).
///
/// Made by [`CancellationToken::drop_guard`].
#[derive(Debug)]
#[must_use = "a guard that is not kept cancels its token at once"]
pub struct DropGuard {
    /// `None` once disarmed.
    token: Option<CancellationToken>,
}

impl DropGuard {
    pub(super) fn new(token: CancellationToken) -> Self {
        Self { token: Some(token) }
    }

    /// Gives the token back; nothing is cancelled.
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect("taken here alone, by value")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            cancel_as_dropped(token);
        }
    }
}

/// Cancels the token that it borrows when it is dropped, with reason [`Dropped`](crate::Reason::Dropped).
///
/// Made by [`CancellationToken::drop_guard_ref`].
#[derive(Debug)]
#[must_use = "a guard that is not kept cancels its token at once"]
pub struct DropGuardRef<'a> {
    /// `None` once disarmed.
    token: Option<&'a CancellationToken>,
}

impl<'a> DropGuardRef<'a> {
    pub(super) fn new(token: &'a CancellationToken) -> Self {
        Self { token: Some(token) }
    }

    /// Gives the token back; nothing is cancelled.
    pub fn disarm(mut self) -> &'a CancellationToken {
        self.token.take().expect("taken here alone, by value")
    }
}

impl Drop for DropGuardRef<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            cancel_as_dropped(token);
        }
    }
}

fn cancel_as_dropped(token: &CancellationToken) {
    // Not worth making a reason for, and reading two clocks, if nobody will see it.
    if !token.is_cancelled() {
        token.cancel_with(Cancellation::from_origin(Origin::Drop));
    }
}
