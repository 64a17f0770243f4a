//! The token: a thin handle over a node of the tree.
//!
//! | room | what it does |
//! |---|---|
//! | `node` | what a token is in memory, its invariants, its lock order |
//! | `tree`, `splice` | children come and go; ancestors that nobody holds are taken out |
//! | `links` | links between tokens that are not parent and child, all-of tokens |
//! | `mark`, `tell`, `marked` | the two steps of a cancel; the same for several tokens as one |
//! | `wait`, `blocking`, `run_until` | waiting for one, as a future and on a plain thread |
//! | `registration`, `guard`, `weak` | callbacks, guards, handles that hold nothing |
//! | `deadline` | deadlines, and which one counts |

mod blocking;
mod deadline;
mod guard;
mod handle;
mod links;
mod mark;
mod marked;
mod node;
mod registration;
mod run_until;
mod splice;
mod tell;
mod tree;
mod wait;
mod weak;

pub use guard::{DropGuard, DropGuardRef};
pub use handle::CancellationToken;
pub use marked::Marked;
pub use registration::Registration;
pub use run_until::{RunUntilCancelled, RunUntilCancelledOwned};
pub use wait::{Cancelled, CancelledOwned, WakerSlot};
pub use weak::WeakCancellationToken;
