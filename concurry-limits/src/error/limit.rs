//! [`LimitError`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A request, an update or a release of limits failed.
///
/// It is plain data, so that it can be part of an error type that travels between processes.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitError, LimitSet, ResourceLimit};
///
/// let set = LimitSet::builder().limit(ResourceLimit::new("connections", 1)).build()?;
/// let first = set.acquire(())?;
/// match set.try_acquire(()) {
///     Err(LimitError::Unavailable { key, available, .. }) => assert_eq!((key.as_str(), available), ("connections", 0)),
///     other => panic!("{other:?}"),
/// }
/// # drop(first);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// Not now; a later attempt may succeed.
    #[error(
        "limit `{key}` cannot admit {requested} now: {available} of {capacity} available; {}",
        when(*available_in)
    )]
    Unavailable {
        /// The limit that refused.
        key: String,
        /// The amount that was asked of it.
        requested: u64,
        /// Its capacity.
        capacity: u64,
        /// What it could admit at most, at that moment.
        available: u64,
        /// The earliest that it can admit the amount; `None` when that depends on a release, or on others who stand ahead.
        available_in: Option<Duration>,
    },
    /// The time that the caller gave was not enough, or is known not to be.
    #[error(
        "limit `{key}` did not admit {requested} in time (waited {waited:?}): {available} of {capacity} available; {}",
        when(*available_in)
    )]
    Timeout {
        /// The limit that refused.
        key: String,
        /// The amount that was asked of it.
        requested: u64,
        /// Its capacity.
        capacity: u64,
        /// What it could admit at most, at that moment.
        available: u64,
        /// The earliest that it can admit the amount; `None` when that depends on a release, or on others who stand ahead. When it
        /// was clear at once that the time cannot be enough: an instant before which it admits nothing of that by any means.
        available_in: Option<Duration>,
        /// How long the request waited; zero when it was clear at once that the time cannot be enough.
        waited: Duration,
    },
    /// No amount of waiting helps.
    #[error(
        "limit `{key}` will never admit {requested}: {reason} (capacity {capacity}); ask for less, or raise the capacity"
    )]
    Never {
        /// The limit that refused.
        key: String,
        /// The amount that was asked of it.
        requested: u64,
        /// Its capacity.
        capacity: u64,
        /// Why.
        reason: String,
    },
    /// The set has no such limit.
    #[error(
        "there is no limit `{key}` in this set, which has {}; build it with `.lenient()` to skip unknown keys",
        list(known)
    )]
    UnknownKey {
        /// The key that was named.
        key: String,
        /// The keys of the set.
        known: Vec<String>,
    },
    /// A limit without a default amount was not named in an empty request.
    #[error("limit `{key}` has no default amount: name one, as in `[(\"{key}\", 100)]`")]
    AmountRequired {
        /// The limit.
        key: String,
    },
    /// One request names a key twice.
    #[error("`{key}` is named twice in one request: add the amounts up")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// More was used than was asked for. What was acquired is kept.
    #[error(
        "{used} of `{key}` were used, but only {requested} acquired: acquire what may be used at most, or build the limit with `.overrun(Overrun::Debt)`"
    )]
    UsageExceedsRequested {
        /// The limit.
        key: String,
        /// The amount that was acquired.
        requested: u64,
        /// The usage that was told.
        used: u64,
    },
    /// A call that was counted implicitly cannot be told to have been none, or several.
    #[error(
        "one `{key}` was acquired implicitly, so its usage is 1, not {used}: name an amount in the request to tell another usage"
    )]
    UnexpectedUsage {
        /// The limit.
        key: String,
        /// The usage that was told.
        used: u64,
    },
    /// An update names a key that this acquisition does not hold.
    #[error("`{key}` was not acquired here, so its usage cannot be updated; acquired: {}", list(acquired))]
    NotAcquired {
        /// The key.
        key: String,
        /// The keys that are held.
        acquired: Vec<String>,
    },
    /// Everything was given back, but a usage that is needed was never told and counts as the whole amount.
    #[error(
        "released without the usage of {}: call `update` before the release; the whole amount counts as used",
        list(keys)
    )]
    MissingUpdate {
        /// The limits whose usage is missing.
        keys: Vec<String>,
    },
    /// An update after the release.
    #[error("this acquisition was released: tell usages before the release")]
    Released,
    /// The template of [`KeyedLimits`](crate::KeyedLimits) makes no valid set for a key.
    #[error("the template makes no valid limits for this key: {reason}")]
    Template {
        /// What is wrong with the set.
        reason: String,
    },
    /// A pool without sets was asked for something.
    #[error("this pool has no limit sets: make it of at least one (`LimitSet::empty()` limits nothing)")]
    EmptyPool,
    /// The process in which the set lives cannot be reached.
    #[error("the owner of the limits is gone: {reason}")]
    Disconnected {
        /// What was seen.
        reason: String,
    },
    /// Only the process that built the set can do this.
    #[error("`{operation}` works only in the process that built the limit set")]
    OwnerOnly {
        /// The method that was called.
        operation: String,
    },
}

fn when(available_in: Option<Duration>) -> String {
    match available_in {
        Some(wait) => format!("it can in {wait:?}"),
        None => "it can once others release or are served".to_owned(),
    }
}

fn list(keys: &[String]) -> String {
    match keys {
        [] => "none".to_owned(),
        keys => format!("`{}`", keys.join("`, `")),
    }
}
