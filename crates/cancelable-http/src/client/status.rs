//! What tonic makes of a call that its operation ended: a status, which it looks for among the sources of an error.

use std::sync::Arc;

use cancelable::{Cancellation, Reason};
use tonic::{Code, Status};

/// The status of a call that was ended for this; it has the cancellation as its source.
pub(super) fn of(why: &Cancellation) -> Status {
    let code = match why.original().reason() {
        Reason::Timeout => Code::DeadlineExceeded,
        _ => Code::Cancelled,
    };
    let mut status = Status::new(code, why.to_string());
    status.set_source(Arc::new(why.clone()));
    status
}
