//! Limits: rates, calls and resources, taken all together or not at all, in one queue for everybody.
//!
//! * [`Limit`] and its kinds [`RateLimit`], [`CallLimit`], [`ResourceLimit`]: plain data; the kinds are open.
//! * [`algorithm`](RateLimitAlgorithm): five ways to count a rate, each a pure function of state, time and amount.
//! * [`LimitSet`]: limits that are acquired together; the one place with a lock, a queue and a clock.
//! * [`LimitSetAcquisition`]: the guard that gives back what was acquired.
//! * [`LimitPool`]: several sets, one of which is picked for each request.
//! * [`KeyedLimits`]: a set a tenant, in bounded memory.
//! * [`LimitError`], [`LimitSetError`]: what can go wrong with a request, and with the building of a set.
//! * [`Feedback`], [`FeedbackHeaders`]: what a server says about its limits.
//! * [`remote`]: the seam through which a set in another process is used.
//!
//! # Examples
//!
//! ```
//! use concurry_limits::{CallLimit, LimitSet, RateLimit, Window};
//!
//! let account = LimitSet::builder()
//!     .limit(CallLimit::new(500, Window::MINUTE))
//!     .limit(RateLimit::new("tokens", 10_000, Window::MINUTE))
//!     .build()?;
//! let mut acquired = account.acquire([("tokens", 100)])?;
//! acquired.update([("tokens", 80)])?;
//! acquired.release()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod acquisition;
mod algorithm;
mod conformance;
mod error;
mod feedback;
mod keyed;
mod limit;
mod pool;
#[doc(hidden)]
pub mod remote;
mod request;
mod set;
mod sync;
mod usage;
mod window;

pub use acquisition::LimitSetAcquisition;
pub use algorithm::{ParseAlgorithmError, RateLimitAlgorithm};
pub use conformance::assert_limit_conforms;
pub use error::{LimitError, LimitSetError};
pub use feedback::{Feedback, FeedbackError, FeedbackHeaders};
pub use keyed::{KeyedLimitStats, KeyedLimits, KeyedLimitsBuilder, KeyedLimitsStats};
#[doc(hidden)]
pub use limit::Tally;
pub use limit::{
    CallLimit, Limit, LimitState, Overrun, PackedState, RateLimit, ResourceLimit, UsageRule, Verdict,
};
pub use pool::{
    IntoLimits, LimitPool, LimitPoolBalancing, LimitPoolStats, ParseBalancingError, PooledSetStats,
};
pub use request::Request;
pub use set::{
    Acquire, Admission, LimitSet, LimitSetBuilder, LimitSetStats, LimitStats, PreparedAcquisition,
    PreparedRequest, Until,
};
pub use window::{ParseWindowError, Window};
