//! How an operation comes into a registry, and how it leaves.

use std::sync::Arc;

use pyo3::prelude::*;

use super::{Operation, Status};
use crate::registry::{Entry, Listed};

impl Operation {
    /// Has it be listed from now to its end; one that is listed stays so. With `is_kept` it is alive for as long as it is.
    ///
    /// # Errors
    ///
    /// If a live operation there has its id.
    pub(crate) fn list_in(
        slf: &Bound<'_, Self>,
        registry: &cancelable_core::Registry,
        parent_id: Option<String>,
        is_kept: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        if this.entry().is_some_and(|entry| entry.is_here()) {
            return Ok(());
        }
        let (record, token) = {
            let state = this.state.lock();
            let given = state.face.as_ref().filter(|_| state.has_given_face);
            let token = given.map(|face| face.get().core().clone());
            (Arc::clone(&state.record), token)
        };
        let was_over = record.status().is_terminal();
        let listed = Listed::new(slf, Arc::clone(&record), parent_id, token)?;
        let entry = Entry::enter(registry, listed)?;
        if is_kept {
            entry.keep(slf);
        }
        let before = this.state.lock().entry.replace(Arc::clone(&entry));
        drop(before);
        if record.status() != Status::Pending {
            entry.started();
        }
        // It may have ended meanwhile, on its own thread, and then did not know of its entry.
        if record.status().is_terminal() && !was_over {
            this.unlist(py);
        }
        Ok(())
    }

    /// Its entry, while it is listed.
    pub(crate) fn entry(&self) -> Option<Arc<Entry>> {
        self.state.lock().entry.clone()
    }

    /// Takes it off the list: into the history, if it has ended.
    pub(crate) fn unlist(&self, py: Python<'_>) {
        let entry = self.state.lock().entry.take();
        if let Some(entry) = entry {
            entry.leave(py);
        }
    }

    /// The id of what encloses it, as far as that is known.
    pub(crate) fn parent_id(&self, py: Python<'_>) -> Option<String> {
        let above = self.state.lock().above(py);
        above.map(|parent| parent.get().record().id().to_owned())
    }
}
