//! [`FeedbackError`].

use super::Feedback;

/// How much of a header's value an error shows.
const SHOWN: usize = 80;

/// A header of a server says nothing that can be understood. What the others of its response say comes with it.
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
    understood: Feedback,
}

impl FeedbackError {
    pub(super) fn new(header: &str, value: &str, expected: &'static str) -> Self {
        let value = value.chars().take(SHOWN).collect();
        Self { header: header.to_owned(), value, expected, understood: Feedback::default() }
    }

    /// The same, beside what was understood.
    pub(super) fn beside(self, understood: Feedback) -> Self {
        Self { understood, ..self }
    }

    /// The name of the header, in lower case.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What it says, or the beginning of it.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What the other headers of the response say, such as its `Retry-After`: to be told all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use concurry_limits::{Feedback, FeedbackHeaders};
    ///
    /// let headers = [("retry-after", "3"), ("x-ratelimit-remaining-tokens", "some"), ("x-ratelimit-reset-tokens", "1s")];
    /// let error = FeedbackHeaders::openai().read(headers, SystemTime::now()).unwrap_err();
    /// assert_eq!(error.understood(), &Feedback::retry_after(Duration::from_secs(3)));
    /// ```
    pub fn understood(&self) -> &Feedback {
        &self.understood
    }
}
