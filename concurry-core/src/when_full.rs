//! What becomes of a call that finds the queue of its pool full.

use serde::{Deserialize, Serialize};

/// What happens when a call is submitted to a pool in which as many wait as may.
///
/// # Examples
///
/// ```
/// use concurry_core::when_full::WhenFull;
///
/// assert_eq!(WhenFull::default(), WhenFull::Wait);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The submitter waits until there is room.
    #[default]
    Wait,
    /// The call ends with [`CallError::Rejected`](crate::call::CallError::Rejected), in which its arguments come
    /// back.
    Reject,
    /// The call that waits for longest ends with [`CallError::Displaced`](crate::call::CallError::Displaced), and
    /// the new one takes its room. A call that waits to be tried again waits since it was submitted.
    DropOldest,
}
