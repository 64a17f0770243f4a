//! The snapshot of an operation.

use std::sync::atomic::Ordering;

use cancelable_core::OperationContext;
use tokio::time::Instant;

use super::{End, Record};
use crate::operation::{Duties, clock};

impl Record {
    pub(crate) fn context(&self) -> OperationContext {
        let mut context = OperationContext::new(self.id());
        context.start = clock::wall(self.start);
        context.parent_id = self.parent_id().map(str::to_owned);
        if let Some(about) = &self.about {
            context.name.clone_from(&about.name);
            context.attempt = about.attempt.unwrap_or(1);
            context.metadata.clone_from(&about.metadata);
        }
        // Under the lock, so that an end is seen with its time or not at all.
        let changing = self.late().changing.lock();
        context.status = self.status();
        let end = changing.end.clone();
        context.skipped_finalizers = self.duties_if_any().map_or(0, Duties::skipped);
        let added = changing.metadata.iter();
        context
            .metadata
            .extend(added.map(|(key, value)| (key.clone(), value.clone())));
        context.error.clone_from(&changing.error);
        context.progress.clone_from(&changing.progress);
        let pace = changing.pace.clone();
        // Relaxed: a count by itself, which orders nothing.
        let open = changing
            .streams
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        context.items = changing.items + open.sum::<u64>();
        drop(changing);
        context.end = end.as_ref().map(|end| clock::wall(end.at));
        let End { at, asked } = end.unwrap_or_else(|| {
            let at = Instant::now();
            let asked = self.asked_before(at);
            End { at, asked }
        });
        context.duration = at.saturating_duration_since(self.start);
        context.rate = pace.rate();
        if !context.status.is_terminal() {
            context.time_left = pace.time_left(context.duration);
        }
        if let Some((why, since)) = asked {
            context.asked_at = Some(clock::wall(at) - since);
            context.since_asked = Some(since);
            context.cancellation = Some(why);
        }
        context
    }
}
