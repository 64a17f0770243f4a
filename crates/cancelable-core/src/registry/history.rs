//! The newest of the operations that ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::shard::Key;
use super::shared::Shared;
use crate::OperationContext;

/// The ends that are kept, by their number, which is their order. Never more than the limit.
pub(super) struct History {
    ends: BTreeMap<u64, Past>,
    next: u64,
    limit: usize,
}

/// An end, as the history keeps it.
#[derive(Clone)]
pub(super) struct Past {
    pub(super) number: u64,
    pub(super) key: Key,
    pub(super) context: Arc<OperationContext>,
}

impl History {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            ends: BTreeMap::new(),
            next: 0,
            limit,
        }
    }

    /// Keeps an end, and gives it back as it is kept, unless nothing is; with the one that had to go for it.
    pub(super) fn push(
        &mut self,
        key: &Key,
        context: &Arc<OperationContext>,
    ) -> (Option<Past>, Option<Past>) {
        if self.limit == 0 {
            return (None, None);
        }
        let past = Past {
            number: self.next,
            key: key.clone(),
            context: Arc::clone(context),
        };
        self.next += 1;
        self.ends.insert(past.number, past.clone());
        (Some(past), self.pop_surplus())
    }

    /// The oldest, if there are more than the limit.
    pub(super) fn pop_surplus(&mut self) -> Option<Past> {
        (self.ends.len() > self.limit).then(|| self.ends.pop_first().map(|(_, past)| past))?
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The next ends before a number, the newest first; at most `limit`.
    pub(super) fn before(&self, number: Option<u64>, limit: usize) -> Vec<Past> {
        let range = self.ends.range(..number.unwrap_or(u64::MAX));
        let newest_first = range.rev().take(limit);
        newest_first.map(|(_, past)| past.clone()).collect()
    }
}

/// The ends before a number, the newest first, a few under a lock at a time.
pub(super) struct Backwards<'a> {
    shared: &'a Shared,
    ready: VecDeque<Past>,
    last: Option<u64>,
    is_done: bool,
}

impl<'a> Backwards<'a> {
    pub(super) fn new(shared: &'a Shared, before: Option<u64>) -> Self {
        Self {
            shared,
            ready: VecDeque::new(),
            last: before,
            is_done: false,
        }
    }
}

impl Iterator for Backwards<'_> {
    type Item = (u64, Arc<OperationContext>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() && !self.is_done {
            let more = self.shared.history.lock().before(self.last, AT_A_TIME);
            self.is_done = more.len() < AT_A_TIME;
            self.last = more.last().map(|past| past.number).or(self.last);
            self.ready = more.into();
        }
        let past = self.ready.pop_front()?;
        Some((past.number, past.context))
    }
}

/// Ends that are taken out under one lock.
const AT_A_TIME: usize = 32;
