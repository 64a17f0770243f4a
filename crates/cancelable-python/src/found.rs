//! What is looked up in Python once and kept: members of modules, and words.
//!
//! PyO3's own cells, and its `intern!`, have one thread look and the others wait. When a thread forks meanwhile, the child waits for a
//! thread that it does not have (P7). Here nobody waits: several threads may look at once, and what is found first is kept.

use pyo3::PyTypeCheck;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

/// A place for what is found; see the module's documentation.
pub(crate) struct Found<T>(PyOnceLock<T>);

impl<T> Found<T> {
    pub(crate) const fn new() -> Self {
        Self(PyOnceLock::new())
    }

    /// What was found before, or what `look` finds.
    #[inline]
    pub(crate) fn or_look(
        &self,
        py: Python<'_>,
        look: impl FnOnce() -> PyResult<T>,
    ) -> PyResult<&T> {
        match self.0.get(py) {
            Some(found) => Ok(found),
            None => look().map(|found| self.keep(py, found)),
        }
    }

    /// Keeps it, unless another thread was faster. No Python runs while the cell is being filled, so no thread forks then.
    #[cold]
    fn keep(&self, py: Python<'_>, found: T) -> &T {
        drop(self.0.set(py, found));
        self.0
            .get(py)
            .expect("it was filled just now, if not before")
    }
}

impl<T: PyTypeCheck> Found<Py<T>> {
    /// A member of a module.
    #[inline]
    pub(crate) fn import<'py>(
        &self,
        py: Python<'py>,
        module: &str,
        name: &str,
    ) -> PyResult<&Bound<'py, T>> {
        let look = || Ok(py.import(module)?.getattr(name)?.cast_into()?.unbind());
        Ok(self.or_look(py, look)?.bind(py))
    }
}

impl Found<Py<PyString>> {
    /// Interned, so that attributes are found by it without comparing letters.
    #[inline]
    pub(crate) fn word<'py>(&self, py: Python<'py>, text: &str) -> &Bound<'py, PyString> {
        match self.0.get(py) {
            Some(word) => word.bind(py),
            None => self.keep(py, PyString::intern(py, text).unbind()).bind(py),
        }
    }
}

/// A word as Python has it, made once.
macro_rules! word {
    ($py:expr, $text:literal) => {{
        static WORD: $crate::found::Found<pyo3::Py<pyo3::types::PyString>> =
            $crate::found::Found::new();
        WORD.word($py, $text)
    }};
}
pub(crate) use word;
