//! The operations that are linked to a shutdown: who is there, asking them all, waiting until they have gone.
//!
//! # Invariants
//!
//! 1. **A member is in the list from its operation's start to its end**: what keeps it there is dropped once the
//!    operation has ended.
//! 2. **None is missed.** The shutdown is marked as begun before the lists are gone through, and who joins looks for the mark
//!    after it is in its list: whichever of the two comes second at the list's lock sees the other.
//! 3. **Nothing foreign under a lock**: handles are made whole, asked and dropped outside.
//! 4. **No lock is shared by all**: a list for each of some threads, by turns.
//! 5. **All are marked before anybody is told**: whoever is woken or called finds every one of them cancelled, and so does whoever
//!    hears that it has begun already. A callback that blocks holds up nobody's ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cancelable::{
    Cancellation, CancellationToken, Marked, Operation, OperationContext, WeakOperation,
};
use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::handle::Shared;

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Members {
    lists: [List; LISTS],
    /// Held while all are marked; the second to begin waits here.
    marking: Mutex<()>,
    asked: watch::Sender<Option<(usize, Instant)>>,
}

/// Some of the members, in memory of its own.
#[repr(align(128))]
#[derive(Default)]
struct List {
    members: Mutex<Slab<WeakOperation>>,
    /// Told when it has become empty.
    emptied: Notify,
}

/// One operation's place, until this is dropped. It keeps the shutdown as well.
pub(super) struct Member {
    shared: Arc<Shared>,
    list: usize,
    place: usize,
}

impl Members {
    /// Marks the shutdown as begun and asks all that are there; `false` if that was done before.
    pub(super) fn ask(&self, begun: &CancellationToken, why: &Cancellation) -> bool {
        let mut marked = Marked::new();
        let marking = self.marking.lock();
        if !marked.mark(begun, why.clone()) {
            return false;
        }
        let start = Instant::now();
        let all: Vec<_> = self.each().collect();
        for operation in &all {
            marked.mark(operation.token(), why.clone());
        }
        drop(marking);
        self.asked.send_replace(Some((all.len(), start)));
        for operation in &all {
            // Notes that it was asked: its grace counts from here, whoever is called first.
            operation.cancellation();
        }
        marked.tell();
        true
    }

    /// How many were there to be asked, and when that was; once all of them are marked.
    pub(super) async fn asked(&self) -> (usize, Instant) {
        let mut told = self.asked.subscribe();
        let asked = told.wait_for(Option::is_some).await;
        let asked = asked.ok().and_then(|asked| *asked);
        asked.expect("who tells is kept, and has told")
    }

    /// Waits until all have gone, those too that have come meanwhile.
    pub(super) async fn gone(&self) {
        while self.count() > 0 {
            for list in &self.lists {
                list.gone().await;
            }
        }
    }

    pub(super) fn count(&self) -> usize {
        let each = self.lists.iter().map(|list| list.members.lock().len());
        each.sum()
    }

    /// Snapshots of those that are there and have not ended.
    pub(super) fn all(&self) -> Vec<OperationContext> {
        let snapshots = self.each().map(|operation| operation.context());
        snapshots
            .filter(|snapshot| !snapshot.status.is_terminal())
            .collect()
    }

    fn each(&self) -> impl Iterator<Item = Operation> {
        self.lists.iter().flat_map(|list| {
            let members = list.members.lock();
            let there: Vec<_> = members.iter().map(|(_, weak)| weak.clone()).collect();
            drop(members);
            there.into_iter().filter_map(|weak| weak.upgrade())
        })
    }
}

impl Member {
    pub(super) fn join(shared: Arc<Shared>, operation: &Operation) -> Self {
        let list = list_of_this_thread();
        let weak = operation.downgrade();
        let place = shared.members.lists[list].members.lock().insert(weak);
        // Who joins as it begins is found by it, or finds here that it has begun.
        if let Some(why) = shared.begun.cancellation() {
            operation.cancel_with(why);
        }
        Self {
            shared,
            list,
            place,
        }
    }
}

impl List {
    async fn gone(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.members.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let list = &self.shared.members.lists[self.list];
        let mut members = list.members.lock();
        let weak = members.try_remove(self.place);
        let is_empty = members.is_empty();
        drop(members);
        drop(weak);
        // Nobody waits before it has begun; who does has been at the lock since.
        if is_empty && self.shared.begun.is_cancelled() {
            list.emptied.notify_waiters();
        }
    }
}

/// The list that operations join which start on this thread.
fn list_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        // Relaxed: by turns is as good as any.
        static LIST: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LISTS;
    }
    // A thread that is going down takes any.
    LIST.try_with(|list| *list).unwrap_or(0)
}

const LISTS: usize = 16;
