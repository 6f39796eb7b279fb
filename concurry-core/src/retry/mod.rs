//! Trying again: how often, how long to wait in between, and for how long in all.
//!
//! All of it is pure: nothing here reads a clock, sleeps, or draws a random number.
//!
//! * [`policy`](Retry): what is asked for.
//! * [`backoff`](Retry::backoff): the time before an attempt.
//! * [`overrides`](RetryOverrides): what a method says otherwise than its pool.
//! * [`attempt`](Attempt): what those who judge an attempt may know of it.

mod attempt;
mod backoff;
mod overrides;
mod policy;

pub use attempt::Attempt;
pub use overrides::RetryOverrides;
pub use policy::{InvalidRetry, Retry, RetryAlgorithm};
