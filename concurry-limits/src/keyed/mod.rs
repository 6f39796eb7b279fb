//! [`KeyedLimits`]: a limit set a tenant, in bounded memory.
//!
//! * `limits`: the handle. `builder`: how it is made, from a `template` for the sets.
//! * `shared`: the shards, and whose turn it is. `shard`: the keys of one lock; puts sets to rest and forgets those that are full again.
//! * `stats`: what can be seen.
//!
//! # Why shards
//!
//! A lookup holds its lock for about 50 ns, so one lock would do for the lookups. But forgetting walks over all keys of a
//! lock, and a growing map moves them: with sixteen locks both stop a sixteenth of the tenants for a sixteenth of the time.

mod builder;
mod limits;
mod shard;
mod shared;
mod stats;
mod template;

pub use builder::KeyedLimitsBuilder;
pub use limits::KeyedLimits;
pub use stats::{KeyedLimitStats, KeyedLimitsStats};
