//! A running operation: its record, the handle to it, which one is current, and what it owes before it has ended.

mod budget;
mod callbacks;
mod clock;
mod companion;
pub(crate) mod current;
mod duties;
mod finalizer;
mod graces;
mod handle;
mod record;
mod shields;
pub(crate) mod trace;
mod watched;
mod weak;

pub(crate) use budget::{Budgets, Share};
pub(crate) use callbacks::{Callbacks, OnEnd, OnProgress};
pub(crate) use companion::{Companion, During};
pub(crate) use duties::{Duties, Helper, Joined};
pub use finalizer::Cleanup;
pub(crate) use finalizer::Finalizer;
pub(crate) use graces::Graces;
pub use handle::Operation;
pub(crate) use record::{About, Ending, Record};
pub(crate) use shields::{Farewell, Held, Shields};
pub(crate) use watched::Watched;
pub use weak::WeakOperation;
