//! Text that somebody said, for people to read.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A string that may hold what is no text, such as the surrogates in a file's name: those are replaced by U+FFFD, since what is
/// only to be read is no reason for an operation not to end.
pub(crate) struct Text(pub(crate) String);

impl FromPyObject<'_, '_> for Text {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        Ok(Self(
            given.cast::<PyString>()?.to_string_lossy().into_owned(),
        ))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}
