//! [`Limit`]: what every kind of limit tells about itself.

use std::fmt;

use concurry_core::clock::Timestamp;

use super::{LimitState, UsageRule};
use crate::LimitSetError;

/// A kind of limit: plain data that names a key and a capacity and makes the counting state.
///
/// A limit alone is not synchronised and cannot be acquired; a [`LimitSet`](crate::LimitSet) can. The trait is open: a
/// type of yours with `#[typetag::serde]` on its impl is loaded from configuration by its name, like the built-in kinds.
///
/// ```compile_fail,E0599
/// use concurry_limits::ResourceLimit;
///
/// ResourceLimit::new("connections", 8).acquire(()); // there is no such method: build a `LimitSet`
/// ```
///
/// # Examples
///
/// Two at a time, and none on an odd second:
///
/// ```
/// use concurry_core::clock::Timestamp;
/// use concurry_limits::{Limit, LimitSet, LimitState, ResourceLimit, UsageRule};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Pair { key: String }
///
/// #[typetag::serde]
/// impl Limit for Pair {
///     fn key(&self) -> &str { &self.key }
///     fn capacity(&self) -> u64 { 2 }
///     fn default_amount(&self) -> Option<u64> { Some(1) }
///     fn usage_rule(&self) -> UsageRule { UsageRule::Held }
///     fn state(&self, now: Timestamp) -> Box<dyn LimitState> { ResourceLimit::new("", 2).state(now) }
/// }
///
/// let set: LimitSet = serde_json::from_str(r#"{"limits": [{"kind": "Pair", "key": "hands"}]}"#)?;
/// let both = set.acquire([("hands", 2)])?;
/// assert!(set.try_acquire(()).is_err());
/// # drop(both);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[typetag::serde(tag = "kind")]
pub trait Limit: fmt::Debug + Send + Sync {
    /// The name by which requests name it; unique in its set.
    fn key(&self) -> &str;

    /// The capacity it starts with, at least 1.
    fn capacity(&self) -> u64;

    /// What a request takes that does not name this limit; `None` when it must be named.
    fn default_amount(&self) -> Option<u64>;

    /// What may and must be told about usage.
    fn usage_rule(&self) -> UsageRule;

    /// Whether a set may be built with this limit; checked when one is.
    ///
    /// # Errors
    ///
    /// An empty key or a capacity of 0; more in kinds that can be wrong in more ways.
    fn validate(&self) -> Result<(), LimitSetError> {
        validate_common(self.key(), self.capacity())
    }

    /// Nothing taken yet: the state that a set counts with.
    fn state(&self, now: Timestamp) -> Box<dyn LimitState>;
}

/// What every kind must have.
pub(super) fn validate_common(key: &str, capacity: u64) -> Result<(), LimitSetError> {
    if key.is_empty() {
        return Err(LimitSetError::EmptyKey);
    }
    if capacity == 0 {
        return Err(LimitSetError::ZeroCapacity { key: key.to_owned() });
    }
    Ok(())
}
