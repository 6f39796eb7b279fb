//! The kinds of limits.
//!
//! * `definition`: [`Limit`], what every kind tells about itself.
//! * `state`: [`LimitState`] and [`Verdict`], the counting behind a limit.
//! * `rule`: [`UsageRule`] and [`Overrun`], what may be told about usage.
//! * [`RateLimit`]: an amount a window. [`CallLimit`]: calls a window. [`ResourceLimit`]: a number at a time.

mod call;
mod definition;
mod rate;
mod resource;
mod rule;
mod state;

pub use call::CallLimit;
pub use definition::Limit;
pub use rate::RateLimit;
pub use resource::ResourceLimit;
pub use rule::{Overrun, UsageRule};
pub(crate) use state::ABOVE_CAPACITY;
pub use state::{LimitState, Verdict};
