//! What a panic left behind, and how it is dropped without harm.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What somebody panicked with.
pub(crate) type Payload = Box<dyn Any + Send>;

/// The panic as an error's text.
pub(crate) fn said(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match said {
        Some(said) => format!("panicked: {said}"),
        None => "panicked".to_owned(),
    }
}

/// Calls what is somebody else's and may panic: then this is the panic as an error's text.
///
/// # Errors
///
/// What it panicked with, which is dropped without harm.
pub(crate) fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let said = said(&*payload);
        discard(payload);
        said
    })
}

/// Drops what is somebody else's and may panic as it is dropped.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // This one may do it again: it is left alone.
        let _ = ManuallyDrop::new(payload);
    }
}
