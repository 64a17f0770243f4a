//! What a layer was told, and what that makes of a request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cancelable::{Cancelable, Registry};
use serde_json::Value;

use super::{Disconnect, RequestHead};
use crate::{DeadlineHeaders, Shutdown};

/// See [`CancelableLayer`](super::CancelableLayer), which has a method for each.
#[derive(Clone, Default)]
pub(super) struct Config {
    pub(super) timeout: Option<Duration>,
    pub(super) disconnect: Disconnect,
    pub(super) name: Option<Naming>,
    pub(super) metadata: Option<Describing>,
    pub(super) listed_metadata: Option<Describing>,
    pub(super) registries: Vec<Registry>,
    pub(super) deadlines: Option<DeadlineHeaders>,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) retry_after: Option<Duration>,
    pub(super) plans: Vec<Planning>,
}

pub(super) type Naming = Arc<dyn Fn(&RequestHead<'_>) -> String + Send + Sync>;
pub(super) type Describing = Arc<dyn Fn(&RequestHead<'_>) -> Vec<(String, Value)> + Send + Sync>;
pub(super) type Planning = Arc<dyn Fn(Cancelable, &RequestHead<'_>) -> Cancelable + Send + Sync>;

impl Config {
    /// How the operation of a request may end, and what it is called.
    pub(super) fn plan(&self, head: &RequestHead<'_>) -> Cancelable {
        let mut plan = Cancelable::new().name(match &self.name {
            Some(name) => name(head),
            None => head.name(),
        });
        let is_listed = !self.registries.is_empty();
        let describe = match (&self.metadata, &self.listed_metadata) {
            (None, listed) => listed.as_ref().filter(|_| is_listed),
            (said, _) => said.as_ref(),
        };
        if let Some(describe) = describe {
            for (key, value) in describe(head) {
                plan = plan.metadata(key, value);
            }
        } else if is_listed {
            plan = plan
                .metadata("method", head.method().as_str())
                .metadata("path", head.short_path());
        }
        if let Some(limit) = self.limit(head) {
            plan = plan.timeout(limit);
        }
        for registry in &self.registries {
            plan = plan.registered_in(registry);
        }
        if let Some(shutdown) = &self.shutdown {
            plan = shutdown.plan(plan);
        }
        for finish in &self.plans {
            plan = finish(plan, head);
        }
        plan
    }

    /// How long a request may take: what the server says, or less where the client may say so and does.
    pub(super) fn limit(&self, head: &RequestHead<'_>) -> Option<Duration> {
        let asked = self.deadlines.as_ref();
        let asked = asked.and_then(|deadlines| deadlines.read(head.headers()));
        match (self.timeout, asked) {
            (Some(own), Some(asked)) => Some(own.min(asked)),
            (own, asked) => own.or(asked),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("timeout", &self.timeout)
            .field("disconnect", &self.disconnect)
            .field("deadlines", &self.deadlines)
            .finish_non_exhaustive()
    }
}
