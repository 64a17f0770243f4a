//! `Entry`, what an operation keeps of its registration, and tells through it.

use std::sync::{Arc, OnceLock, Weak};

use cancelable_core::{Progress, Registered, Registration};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::{Listed, json};
use crate::fork::Own;
use crate::log;
use crate::operation::{Operation, Status};

/// See the module's documentation. Dropped, the operation leaves. In the child of a fork it does nothing.
pub(crate) struct Entry(Own<Inner>);

struct Inner {
    told: Arc<Told>,
    /// Tells at once when the operation is asked to stop, from its start on.
    asked: OnceLock<Registration>,
}

struct Told {
    listed: Arc<Listed>,
    registered: Registered,
}

impl Entry {
    /// Lets an operation in.
    ///
    /// # Errors
    ///
    /// If a live operation has its id.
    pub(crate) fn enter(
        registry: &cancelable_core::Registry,
        listed: Arc<Listed>,
    ) -> PyResult<Arc<Self>> {
        let registered = registry.register(&listed).map_err(|taken| {
            PyValueError::new_err(format!(
                "operation_id {:?} is that of an operation that is live in the registry (attempt {}); wait until it has ended, or give another id",
                taken.id(),
                taken.attempt()
            ))
        })?;
        let told = Arc::new(Told { listed, registered });
        let inner = Inner {
            told,
            asked: OnceLock::new(),
        };
        Ok(Arc::new(Self(Own::new(inner))))
    }

    /// Whether it is of this process.
    pub(crate) fn is_here(&self) -> bool {
        self.0.get().is_some()
    }

    /// Keeps the operation alive until it leaves.
    pub(crate) fn keep(&self, operation: &Bound<'_, Operation>) {
        if let Some(inner) = self.0.get() {
            inner.told.listed.keep(operation);
        }
    }

    /// Tells that it is at work; and from now on, when it is asked to stop, or that it was.
    pub(crate) fn started(&self) {
        let Some(inner) = self.0.get() else { return };
        inner.told.registered.started();
        inner.asked.get_or_init(|| {
            let weak = Own::new(Arc::downgrade(&inner.told));
            inner.told.listed.record().stop().on_cancel(move |_| {
                if let Some(told) = weak.get().and_then(Weak::upgrade) {
                    told.asked();
                }
            })
        });
        inner.told.asked();
    }

    /// Tells that it was asked to stop.
    pub(crate) fn asked(&self) {
        if let Some(inner) = self.0.get() {
            inner.told.asked();
        }
    }

    /// Tells how far it has come, if anybody listens.
    pub(crate) fn progressed(
        &self,
        message: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
    ) {
        let Some(inner) = self.0.get() else { return };
        if !inner.told.registered.is_heard() {
            return;
        }
        match message.str() {
            Ok(text) => {
                let mut progress = Progress::new(text.to_string_lossy().into_owned());
                progress.metadata = metadata.map(json::object).unwrap_or_default();
                inner.told.registered.progressed(&progress);
            }
            Err(error) => log::error(message.py(), "a report of progress has no text", &error),
        }
    }

    /// Takes it off the list: into the history if it has ended, and else without a word.
    pub(crate) fn leave(&self, py: Python<'_>) {
        if let Some(inner) = self.0.get() {
            let Told { listed, registered } = &*inner.told;
            registered.ended(listed.last_context(py));
            listed.let_go();
        }
    }
}

impl Told {
    /// One that waits for its start is not on its way to its end, whatever it will find then.
    fn asked(&self) {
        if self.listed.record().status() == Status::Pending {
            return;
        }
        if let Some(why) = self.listed.asked() {
            self.registered.asked(&why);
        }
    }
}
