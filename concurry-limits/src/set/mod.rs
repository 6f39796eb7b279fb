//! [`LimitSet`]: limits that are acquired together, or not at all.
//!
//! From the outside in:
//!
//! * `limit_set`, `control`, `builder`: the handle, how it is steered at run time, and how it is built.
//! * `acquire`: [`Acquire`], the future of every way to acquire; `plan`: what it has to do; `waiting`: its place in the queues.
//! * `engine`: one lock around a `board`, and what has to happen after it was released.
//! * `board`: the slots of the limits and the queue; decides and takes. `queue`: waiters, first come, first served.
//! * `cell`: where a waiter is told its outcome; only one grant can win it.
//! * `definition`, `demand`: what a set is made of, and what a request means in it.
//! * `stats`, `admission`: what can be seen.

mod acquire;
mod admission;
mod board;
mod builder;
mod cell;
mod control;
mod definition;
mod demand;
mod engine;
mod limit_set;
mod plan;
mod queue;
mod slot;
mod stats;
mod waiting;

pub use acquire::Acquire;
pub use admission::Admission;
pub use builder::LimitSetBuilder;
pub use limit_set::LimitSet;
pub use stats::{LimitSetStats, LimitStats};

pub(crate) use definition::Definition;
pub(crate) use demand::{Item, Items};
pub(crate) use engine::Engine;
pub(crate) use limit_set::config_of;
pub(crate) use plan::acquire_earliest;
