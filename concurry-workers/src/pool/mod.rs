//! A pool: where calls wait, who takes them, and the handle that users hold.
//!
//! * `queue`: the one queue of a pool. Calls wait here, not in a worker, so an idle worker always finds the oldest.
//! * `state`: what all share of it, under its one lock.
//! * `inbox`: where calls are put down that need nothing but a place.
//! * `lanes`: which call a worker may take: any, one that was routed to it, one whose limits admit it.
//! * `apart`: cache lines.
//! * `asking`: limits are asked for a call.
//! * `lane`: calls that need the same, and whether the next of them may be asked for.
//! * `balancing`: which worker a call is routed to, if to a certain one.
//! * `taken`: a call that was taken out of the queue.
//! * `ahead`: calls that a worker has at hand before it is free to run them.
//! * `cancelled`: calls that take no room any more.
//! * `idle`: the workers that are to be woken.
//! * `submitting`: how calls get in, and what a full queue does.
//! * `staffing`: how many workers there shall be.
//! * `comeback`: calls that come back to the queue, to be tried again.
//! * `presence`: calls that run in their callers.
//! * `returns`: what is known of them.
//! * `notes`: what is noted of calls beside them: times, spans.
//! * `trace`: the span of a call.
//! * `explain`: how it stands with a call.
//! * `ending`: how calls, workers and the queue end.
//! * `deadlock`: workers that wait for calls which only they could run.
//! * `on_loan`: calls that need their worker for themselves, while it is on loan to others.
//! * `blocking`: async methods that block their thread.
//! * `serving`: which pools a thread serves, and so must not wait for.
//! * [`PoolHandle`]: what every typed handle wraps; submitting, stopping, draining.
//! * [`PoolStats`]: what a pool does right now.

mod ahead;
mod apart;
mod asking;
mod balancing;
mod blocking;
mod cancelled;
mod comeback;
mod deadlock;
mod ending;
mod explain;
mod handle;
mod idle;
mod inbox;
mod lane;
mod lanes;
mod notes;
mod on_loan;
mod presence;
mod queue;
#[cfg(test)]
mod queue_tests;
mod returns;
pub(crate) mod serving;
mod staffing;
mod state;
mod stats;
mod submitting;
mod taken;
mod trace;

pub use concurry_core::balancing::{LoadBalancing, UnknownLoadBalancing};
pub use concurry_core::when_full::WhenFull;
pub use handle::PoolHandle;
pub use stats::{PoolStats, Times, WorkerStates};
pub use submitting::Route;

pub(crate) use ahead::{Outlook, TakesAhead};
pub(crate) use blocking::Known;
pub(crate) use comeback::{Return, Ticket};
pub(crate) use deadlock::{Sleeper, tell_all};
pub(crate) use ending::Counts;
pub(crate) use notes::{Note, Noted};
pub(crate) use queue::{Popped, Queue, QueueOptions};
pub(crate) use staffing::{Hire, Staffing};
pub(crate) use stats::Counters;
pub(crate) use submitting::Refused;
pub(crate) use taken::{Place, Taken};
pub(crate) use trace::{Names, caller};
