//! A pool: where calls wait, who takes them, and the handle that users hold.
//!
//! * `queue`: the one queue of a pool. Calls wait here, not in a worker, so an idle worker always finds the oldest.
//! * `comeback`: calls that come back to the queue, to be tried again.
//! * [`PoolHandle`]: what every typed handle wraps; submitting, stopping, draining.
//! * [`PoolStats`]: what a pool does right now.

mod comeback;
mod handle;
mod queue;
mod stats;

pub use handle::PoolHandle;
pub use stats::PoolStats;

pub(crate) use comeback::Ticket;
pub(crate) use queue::{Counts, Popped, Queue};
pub(crate) use stats::Counters;
