//! [`Admission`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::LimitError;

/// The answer to "would this request be admitted?"; made by [`LimitSet::would_admit`](crate::LimitSet::would_admit).
///
/// # Examples
///
/// ```
/// use concurry_limits::{Admission, LimitSet, ResourceLimit};
///
/// let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build()?;
/// assert_eq!(set.would_admit(()), Admission::Now);
/// let acquired = set.acquire(())?;
/// assert_eq!(set.would_admit(()), Admission::OnRelease("doors".into()));
/// # drop(acquired);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Admission {
    /// At once.
    Now,
    /// After this time if nothing else happens, because of the limit of that key.
    In(Duration, String),
    /// Once somebody releases, or those ahead were served, because of the limit of that key.
    OnRelease(String),
    /// Never, and why.
    Never(LimitError),
    /// The owner of the set cannot be asked.
    Unknown(LimitError),
}
