//! [`RejectedResult`]: what a method returned that a retry did not accept.

use std::any::Any;
use std::fmt;

use super::kept::Kept;

/// A result that `until` did not accept, by value.
///
/// # Examples
///
/// ```
/// # use concurry_core::call::RejectedResult;
/// let half = RejectedResult::new("half an answer".to_owned(), "\"half an answer\"".to_owned());
/// assert_eq!(half.shown(), "\"half an answer\"");
/// assert_eq!(half.into_value::<String>().as_deref(), Some("half an answer"));
/// ```
pub struct RejectedResult {
    value: Kept,
    shown: String,
}

impl RejectedResult {
    /// Of this value, which is shown so.
    pub fn new(value: impl Any + Send, shown: String) -> Self {
        Self { value: Kept::new(value), shown }
    }

    /// The value's `Debug` text, or its type if it has none.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The value, as what the method returns; `None` for any other type.
    pub fn into_value<T: Any>(self) -> Option<T> {
        self.value.into()
    }
}

impl fmt::Debug for RejectedResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RejectedResult").field(&format_args!("{}", self.shown)).finish()
    }
}

impl fmt::Display for RejectedResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
