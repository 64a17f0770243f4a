//! A shutdown that begins by a signal.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use cancelable::source::{self, Source};
use cancelable::{Cancelable, Cancellation, CancellationToken, Operation, Signal};
use tokio::time::Instant;

use super::handle::{Shared, Shutdown};

impl Shutdown {
    /// A shutdown that begins when the process receives `SIGINT` (Ctrl-C) or `SIGTERM`, as well as by [`begin`](Self::begin).
    ///
    /// Once it has begun, whichever way, the next signal takes its default action, mostly the end of the process, without
    /// finalizers; that is said on stderr as the first one comes. A handler that the program had before is called as well. It
    /// listens until it begins, or nobody has a handle to it any more.
    ///
    /// # Errors
    ///
    /// Says why, where the signals cannot be listened for.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime: a task of that listens.
    pub fn on_signals() -> Result<Self, Cancellation> {
        // Listens from here on, so that no signal is lost before the task does.
        let mut both = source::signal(Signal::INTERRUPT).or(source::signal(Signal::TERMINATE));
        if let Some(why) = Pin::new(&mut both).begin(Instant::now()) {
            return Err(why);
        }
        let dropped = CancellationToken::new();
        let shutdown = Self::with(Some(dropped.clone().drop_guard()));
        let begun = shutdown.shared.begun.clone();
        let shared = Arc::downgrade(&shutdown.shared);
        let listener = Cancelable::new()
            .detached()
            .name("shutdown on signals")
            .source(both)
            // Once more, since for these it says what a second one does.
            .signal(Signal::INTERRUPT)
            .signal(Signal::TERMINATE)
            // For as long as the shutdown takes, which ends it: so a second signal is one in a grace period.
            .grace(Duration::MAX)
            .token(&dropped)
            .token(&begun);
        tokio::spawn(listener.run(async move |listening| {
            begin_when_asked(&listening, shared).await;
        }));
        Ok(shutdown)
    }
}

async fn begin_when_asked(listening: &Operation, shared: Weak<Shared>) {
    let why = listening.cancelled().await;
    // Nobody is left who could be told.
    let Some(shared) = shared.upgrade() else {
        return;
    };
    let shutdown = Shutdown { shared };
    shutdown.begin_with(why);
    shutdown.ended().await;
}
