//! Why a call was never run: it was not admitted by its limits, or found no room.

use std::any::Any;
use std::error::Error;
use std::fmt;

use super::kept::Kept;

/// Why a call can never be admitted by the limits that its method declared.
///
/// The source is the limits' own error.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::NotAdmitted;
/// let error = NotAdmitted::new("600 tokens are more than the capacity of 500".into());
/// assert_eq!(
///     error.to_string(),
///     "the limits do not admit this call: 600 tokens are more than the capacity of 500",
/// );
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the limits do not admit this call: {0}")]
pub struct NotAdmitted(#[source] Box<dyn Error + Send + Sync>);

impl NotAdmitted {
    /// Because of this error of the limits.
    pub fn new(source: Box<dyn Error + Send + Sync>) -> Self {
        Self(source)
    }
}

/// A call that found the queue full and was not to wait. Its arguments come back.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::Rejected;
/// let rejected = Rejected::new(("a prompt".to_owned(), 3u8), 10);
/// assert!(rejected.to_string().contains("10 calls wait"));
/// assert_eq!(rejected.into_arguments::<(String, u8)>(), Some(("a prompt".to_owned(), 3)));
/// ```
pub struct Rejected(Box<Returned>);

struct Returned {
    arguments: Kept,
    capacity: usize,
}

impl Rejected {
    /// Of a queue in which `capacity` calls may wait.
    pub fn new(arguments: impl Any + Send, capacity: usize) -> Self {
        Self(Box::new(Returned { arguments: Kept::new(arguments), capacity }))
    }

    /// The arguments, as a tuple of the types that the method takes; `None` for any other type.
    pub fn into_arguments<A: Any>(self) -> Option<A> {
        self.0.arguments.into()
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("capacity", &self.0.capacity).finish_non_exhaustive()
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.0.capacity;
        write!(
            f,
            "the pool's queue is full: {capacity} calls wait; submit again later, or raise max_queued_calls"
        )
    }
}

impl Error for Rejected {}
