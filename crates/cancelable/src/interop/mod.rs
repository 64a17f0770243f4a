//! Tokens of other libraries, linked with ours.

mod tokio_util;

pub use tokio_util::TokioUtilTokens;
