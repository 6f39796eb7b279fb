//! A pool: where calls wait, who takes them, and the handle that users hold.
//!
//! * `queue`: the one queue of a pool. Calls wait here, not in a worker, so an idle worker always finds the oldest.
//! * [`PoolHandle`]: what every typed handle wraps; submitting, stopping, draining.
//! * [`PoolStats`]: what a pool does right now.

mod handle;
mod queue;
mod stats;

pub use handle::PoolHandle;
pub use stats::PoolStats;

pub(crate) use queue::{Popped, Queue};
pub(crate) use stats::Counters;
