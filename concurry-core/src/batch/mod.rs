//! Many calls at once.
//!
//! * [`gather`]: all results in the order of the input, or all outcomes.
//! * [`Gatherable`]: what can be gathered: lists and maps of calls.
//! * `latch`: counts completions down and wakes the one who waits; no thread and no poll a call.
//! * [`Progress`]: a bar in a terminal, or a callback.

mod gather;
mod gatherable;
mod latch;
mod progress;

pub use gather::{Gather, gather};
pub use gatherable::Gatherable;
pub use progress::{Progress, ProgressUpdate};
