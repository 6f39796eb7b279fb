//! The headers of a response that are about limits, by name.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::{FeedbackError, time};

/// How the names of the headers begin that are kept.
const ABOUT_LIMITS: [&str; 4] = ["x-ratelimit-", "anthropic-ratelimit-", "ratelimit", "retry-after"];

/// What was said under each name, in lower case and in order.
pub(super) struct Said {
    values: BTreeMap<String, Vec<String>>,
    /// When it was said.
    pub(super) now: SystemTime,
}

impl Said {
    pub(super) fn new(
        headers: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
        now: SystemTime,
    ) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            let name = name.as_ref().trim().to_ascii_lowercase();
            if ABOUT_LIMITS.iter().any(|beginning| name.starts_with(beginning)) {
                values.entry(name).or_default().push(value.as_ref().trim().to_owned());
            }
        }
        Self { values, now }
    }

    /// The value of a header; the first, if it was sent several times.
    pub(super) fn first(&self, header: &str) -> Option<&str> {
        self.values.get(header)?.first().map(String::as_str)
    }

    /// The value of a header that is a list, which may be sent in parts
    /// ([RFC 9110, section 5.3](https://www.rfc-editor.org/rfc/rfc9110#section-5.3)).
    pub(super) fn list(&self, header: &str) -> Option<String> {
        self.values.get(header).map(|values| values.join(", "))
    }

    pub(super) fn number(&self, header: &str) -> Result<Option<u64>, FeedbackError> {
        self.first(header).map(|value| time::number(header, value)).transpose()
    }

    /// As [`number`](Self::number), where -1 says that it is not known.
    pub(super) fn known_number(&self, header: &str) -> Result<Option<u64>, FeedbackError> {
        if self.first(header) == Some("-1") { Ok(None) } else { self.number(header) }
    }

    /// The time that `read` finds in a header.
    pub(super) fn time(
        &self,
        header: &str,
        read: impl FnOnce(&str, &str, SystemTime) -> Result<Duration, FeedbackError>,
    ) -> Result<Option<Duration>, FeedbackError> {
        self.first(header).map(|value| read(header, value, self.now)).transpose()
    }
}
