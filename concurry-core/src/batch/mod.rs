//! Many calls at once.
//!
//! * [`gather`]: all results in the order of the input, or all outcomes.
//! * [`as_completed`]: outcomes in the order in which calls are done.
//! * [`wait`]: which calls are done once one, one that failed, or all are.
//! * [`submit_all`]: submits as the input comes, with so many calls in flight; [`unordered`](SubmitAll::unordered).
//! * [`Gatherable`]: what can be gathered: lists, maps and tuples of calls. `tuples`: those, and [`GatherError`].
//! * [`Progress`]: a bar in a terminal, or a callback.
//! * `latch`, `ready`: what hangs on the calls: one counts them down, the other lists those that are done.
//! * `portion`: how many calls are submitted between two outcomes.
//! * `waiter`, `waiting`: the one who waits, and one wait with its deadline.

mod as_completed;
mod gather;
mod gatherable;
mod latch;
mod portion;
mod progress;
mod ready;
mod submit_all;
mod tuples;
mod unordered;
mod wait;
mod waiter;
mod waiting;

pub use as_completed::{AsCompleted, as_completed};
pub use gather::{Gather, gather};
pub use gatherable::{GatherResults, Gatherable};
pub use progress::{Progress, ProgressUpdate};
pub use submit_all::{SubmitAll, submit_all};
pub use tuples::GatherError;
pub use unordered::Unordered;
pub use wait::{ReturnWhen, wait, wait_async};
