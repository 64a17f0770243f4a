//! What serves requests as operations: a layer for tower, which sees to it that a request stops when nobody waits for it.

mod answer;
mod body;
mod config;
mod disconnect;
mod driving;
mod exchange;
mod future;
mod head;
mod layer;
mod parking;
mod place;
mod relay;
mod said;
mod service;
mod upload;

pub use answer::Answer;
pub use body::ResponseBody;
pub use disconnect::Disconnect;
pub use future::ResponseFuture;
pub use head::RequestHead;
pub use layer::CancelableLayer;
pub use said::SaysWhy;
pub use service::CancelableService;
pub use upload::{AnyUpload, RequestBody, UnwatchedUpload, Upload, Uploads};

/// An error of whatever kind, as bodies carry them.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
