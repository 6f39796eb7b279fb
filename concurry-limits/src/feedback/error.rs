//! [`FeedbackError`].

/// How much of a header's value an error shows.
const SHOWN: usize = 80;

/// A header of a server says nothing that can be understood.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
/// use concurry_limits::Feedback;
///
/// let error = Feedback::retry_after_header("soon", SystemTime::now()).unwrap_err();
/// assert_eq!((error.header(), error.value()), ("retry-after", "soon"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header `{header}` says `{value}`, which is not {expected}")]
pub struct FeedbackError {
    header: String,
    value: String,
    expected: &'static str,
}

impl FeedbackError {
    pub(super) fn new(header: &str, value: &str, expected: &'static str) -> Self {
        Self { header: header.to_owned(), value: value.chars().take(SHOWN).collect(), expected }
    }

    /// The name of the header, in lower case.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What it says, or the beginning of it.
    pub fn value(&self) -> &str {
        &self.value
    }
}
