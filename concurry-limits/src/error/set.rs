//! [`LimitSetError`].

use crate::Window;

/// A [`LimitSet`](crate::LimitSet) cannot be built from these limits.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, LimitSetError, ResourceLimit};
///
/// let error = LimitSet::builder().limit(ResourceLimit::new("connections", 0)).build().unwrap_err();
/// assert_eq!(error, LimitSetError::ZeroCapacity { key: "connections".into() });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitSetError {
    /// Two limits have one key.
    #[error("two limits have the key `{key}`: give each limit of a set a key of its own")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A limit has an empty key.
    #[error("a limit has an empty key: requests name limits by their keys")]
    EmptyKey,
    /// A limit has no capacity.
    #[error("limit `{key}` has a capacity of 0: nothing could ever be acquired; the least capacity is 1")]
    ZeroCapacity {
        /// The key.
        key: String,
    },
    /// A window that no limit may have.
    #[error("limit `{key}` has a window of {window}: a window lasts at least 1 ns and at most 10 years")]
    BadWindow {
        /// The key.
        key: String,
        /// Its window.
        window: Window,
    },
    /// More limits than a set can have.
    #[error("{count} limits in one set: a set holds at most 128")]
    TooManyLimits {
        /// How many there were.
        count: usize,
    },
    /// A limit of another kind refuses its own definition.
    #[error("limit `{key}` is not valid: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// Why, in the words of the limit.
        reason: String,
    },
}
