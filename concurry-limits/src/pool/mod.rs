//! [`LimitPool`]: several sets, one of which is picked for each request.
//!
//! * `limit_pool`: the pool. `balancing`: how it picks. `stats`: what can be seen.
//! * `into_limits`: [`IntoLimits`], everything that a worker's options take as limits.

mod balancing;
mod into_limits;
mod limit_pool;
mod stats;
mod text;

pub use concurry_core::pool_balancing::{LimitPoolBalancing, ParseBalancingError};
pub use into_limits::IntoLimits;
pub use limit_pool::LimitPool;
pub use stats::{LimitPoolStats, PooledSetStats};
