//! [`LimitSet`]: limits that are acquired together, or not at all.
//!
//! From the outside in:
//!
//! * `limit_set`, `control`, `builder`: the handle, how it is steered at run time, and how it is built.
//! * `hear`: what a server said is told to a set. `restraint`: what holds a limit back beside its own count. `until`: [`Until`].
//! * `acquire`: [`Acquire`], the future of every way to acquire; `plan`: what it has to do; `waiting`: its place in the queues.
//! * `prepared`: [`PreparedRequest`], looked up once and made many times.
//! * `engine`: one lock around a `board`, and what has to happen after it was released. `engine::give_back`: how what was acquired
//!   is given back. `timer`: its one request to the clock.
//! * `lane`: how a set of one limit admits without that lock. `ledger`: how one of several admits without the board. `returns`:
//!   how that is given back without the lock.
//! * `count`: what is used of a limit, as one word, for both.
//! * `board`: the slots of the limits and the queue; decides and takes. `queue`: waiters, first come, first served, each group in a `line`.
//! * `next`: who is woken before a release is counted.
//! * `cell`: where a waiter is told its outcome; only one grant can win it.
//! * `definition`, `demand`: what a set is made of, and what a request means in it. `reading`: a definition from text.
//! * `stats`, `admission`: what can be seen.
//! * `rest`: what has to be kept of a set that nobody uses.

mod acquire;
mod admission;
mod board;
mod builder;
mod cell;
mod control;
mod count;
mod definition;
mod demand;
mod engine;
mod hear;
mod lane;
mod ledger;
mod limit_set;
mod line;
#[cfg(all(test, loom))]
mod models;
mod next;
mod plan;
mod prepared;
mod queue;
mod reading;
mod rest;
mod restraint;
mod returns;
mod slot;
mod stats;
mod timer;
mod until;
mod waiting;

pub use acquire::Acquire;
pub use admission::Admission;
pub use builder::LimitSetBuilder;
pub use limit_set::LimitSet;
pub use prepared::{PreparedAcquisition, PreparedRequest};
pub use stats::{LimitSetStats, LimitStats};
pub use until::Until;

pub(crate) use definition::{Definition, Warned};
pub(crate) use demand::{Item, Items, Wish, items_of};
pub(crate) use engine::Engine;
pub(crate) use limit_set::{Repr, config_of};
pub(crate) use plan::{acquire_earliest, acquire_of};
pub(crate) use rest::{Counts, Ended, Fresh, Panic, Rest};
