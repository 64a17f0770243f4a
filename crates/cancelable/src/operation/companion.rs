//! Values that live from the start of an operation to its end.

use super::Operation;

/// What is begun with an operation, and dropped once that has ended.
pub(crate) trait Companion: Send {
    fn begin(&mut self, operation: &Operation);
}

/// A function, and later what it gave.
pub(crate) struct During<F, G> {
    begin: Option<F>,
    /// Kept for its drop alone.
    _kept: Option<G>,
}

impl<F, G> During<F, G> {
    pub(crate) fn new(begin: F) -> Self {
        Self {
            begin: Some(begin),
            _kept: None,
        }
    }
}

impl<F, G> Companion for During<F, G>
where
    F: FnOnce(&Operation) -> G + Send,
    G: Send,
{
    fn begin(&mut self, operation: &Operation) {
        if let Some(begin) = self.begin.take() {
            self._kept = Some(begin(operation));
        }
    }
}
