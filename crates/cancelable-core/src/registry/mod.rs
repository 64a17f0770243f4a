//! [`Registry`]: who runs, and who ran; asked and cancelled by id, from any thread.
//!
//! | room | what it does |
//! |---|---|
//! | `handle` | the face: asking by id, pages, the history |
//! | `cancelling` | cancelling by id and by filter, and what became of it |
//! | `entry` | what an operation keeps of its registration, and tells through it |
//! | `shared` | what all handles share: the invariants, coming and going, which ends are the history |
//! | `shard` | a part of the operations: by id, in the order of their start, in that of their ends |
//! | `scan` | going through all parts in order |
//! | `filter`, `page`, `tree` | what is asked, and how it is answered |
//! | `counts`, `durations`, `statistics` | the figures |
//! | `event`, `subscription` | telling whoever listens |

mod cancelling;
mod counts;
mod durations;
mod entry;
mod event;
mod filter;
mod handle;
mod page;
mod scan;
mod shard;
mod shared;
mod statistics;
mod subscription;
mod tree;

pub use cancelling::{CancelReply, Outcome};
pub use counts::{Active, Ended};
pub use durations::Durations;
pub use entry::Registered;
pub use event::{Event, What};
pub use filter::{Filter, InvalidPattern};
pub use handle::{DuplicateId, Registry};
pub use page::{Cursor, InvalidCursor, Page};
pub use statistics::Statistics;
pub use subscription::{Heard, Subscription};
pub use tree::{OperationTree, TreeNode};
