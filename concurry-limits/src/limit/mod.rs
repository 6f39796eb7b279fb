//! The kinds of limits.
//!
//! * `definition`: [`Limit`], what every kind tells about itself.
//! * `state`: [`LimitState`] and [`Verdict`], the counting behind a limit.
//! * `tally`: what a set can count on without its lock.
//! * [`PackedState`]: a state in two numbers, for limits that rest.
//! * `capacity`: a capacity from text.
//! * `rule`: [`UsageRule`] and [`Overrun`], what may be told about usage.
//! * [`RateLimit`]: an amount a window. [`CallLimit`]: calls a window. [`ResourceLimit`]: a number at a time.

mod call;
mod capacity;
mod definition;
mod packed;
mod rate;
mod resource;
mod rule;
mod state;
mod tally;

pub use call::CallLimit;
pub use definition::Limit;
pub use packed::PackedState;
pub use rate::RateLimit;
pub use resource::ResourceLimit;
pub use rule::{Overrun, UsageRule};
pub(crate) use state::ABOVE_CAPACITY;
pub use state::{LimitState, Verdict};
pub use tally::Tally;
