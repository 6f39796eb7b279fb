//! The algorithms that count a rate: pure functions of state, time and amount, in whole nanoseconds.
//!
//! * `token_bucket`: bursts to the capacity, refills continuously; refunds.
//! * `leaky_bucket`: a queue that drains at a constant rate.
//! * `sliding_window`: never more than the capacity in any window.
//! * `fixed_window`: counts in windows that start with the first use.
//! * `gcra`: the theoretical arrival time; refunds.
//! * `kind`: what counts by each [`RateLimitAlgorithm`].
//! * `level`: the exact arithmetic that the continuous ones share.

mod fixed_window;
mod gcra;
mod kind;
mod leaky_bucket;
mod level;
mod sliding_window;
mod token_bucket;

pub use concurry_core::algorithm::{ParseAlgorithmError, RateLimitAlgorithm};
pub(crate) use kind::{by_default, state};
