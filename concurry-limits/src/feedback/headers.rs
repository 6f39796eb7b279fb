//! [`FeedbackHeaders`].

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::heard::Heard;
use super::said::Said;
use super::{Feedback, FeedbackError, anthropic, github, ietf, openai, time};
use crate::CallLimit;

/// Reads [`Feedback`] from the headers of a response, in the dialect of a server.
///
/// What the server calls a limit is mapped to a key of the set: `requests` to [`CallLimit::KEY`], `tokens` to `tokens`,
/// `input-tokens` to `input_tokens` and `output-tokens` to `output_tokens`, unless [`key`](Self::key) or
/// [`without`](Self::without) say otherwise. A key that the set does not have is skipped when the feedback is told, with
/// one warning a key. All dialects read `Retry-After` too.
///
/// Names are read in any case, those of headers and those of limits, but for the policies of the IETF's draft, of which `Daily`
/// and `daily` are two. What was not said is no error: a response without such headers is an empty
/// feedback.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use concurry_limits::{Feedback, FeedbackHeaders};
///
/// let reader = FeedbackHeaders::github().key("requests", "rest_calls");
/// // With reqwest: `response.headers().iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)))`.
/// let headers = [("X-RateLimit-Remaining", "12"), ("X-RateLimit-Reset", "1767225660")];
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
/// let feedback = reader.read(headers, now)?;
/// assert_eq!(feedback, Feedback::remaining("rest_calls", 12, Duration::from_secs(60)));
/// # Ok::<(), concurry_limits::FeedbackError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeedbackHeaders {
    dialect: Dialect,
    keys: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, Copy)]
enum Dialect {
    OpenAi,
    Anthropic,
    GitHub,
    Ietf,
}

impl Dialect {
    /// What a server calls a limit, as it is looked up. In most dialects it is part of the name of a header; a policy of the
    /// draft is a value, in which case matters.
    fn name(self, mut said: String) -> String {
        if !matches!(self, Self::Ietf) {
            said.make_ascii_lowercase();
        }
        said
    }
}

impl FeedbackHeaders {
    /// `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` of OpenAI and of those that copy it. Its limits are buckets:
    /// a reset is the time until one is full
    /// ([rate limits in headers](https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers)).
    pub fn openai() -> Self {
        Self::new(Dialect::OpenAi)
    }

    /// `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}` of Anthropic. Its limits
    /// are buckets: a reset is the date at which one is full
    /// ([response headers](https://docs.anthropic.com/en/api/rate-limits#response-headers)).
    pub fn anthropic() -> Self {
        Self::new(Dialect::Anthropic)
    }

    /// `x-ratelimit-{remaining,reset,resource}` of GitHub. A resource (`core`, `search`, `graphql`) that is not mapped
    /// counts as `requests`
    /// ([checking the status of your rate limit](https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit)).
    pub fn github() -> Self {
        Self::new(Dialect::GitHub)
    }

    /// The fields of the IETF's draft in all its forms: `RateLimit: "policy";r=50;t=30` with `RateLimit-Policy`,
    /// `RateLimit: limit=100, remaining=50, reset=30`, and `RateLimit-{Limit,Remaining,Reset}`. A policy that is not mapped
    /// by its name counts by its unit, which is `requests` where none is told
    /// ([draft-ietf-httpapi-ratelimit-headers](https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/)).
    pub fn ietf() -> Self {
        Self::new(Dialect::Ietf)
    }

    fn new(dialect: Dialect) -> Self {
        let keys = [
            ("requests", CallLimit::KEY),
            ("tokens", "tokens"),
            ("input-tokens", "input_tokens"),
            ("output-tokens", "output_tokens"),
        ];
        let keys = keys.into_iter().map(|(said, key)| (said.to_owned(), Some(key.to_owned())));
        Self { dialect, keys: keys.collect() }
    }

    /// What the server calls `said` is the limit of this key. Several may be one limit; then all of them hold.
    pub fn key(mut self, said: impl Into<String>, key: impl Into<String>) -> Self {
        let said = self.dialect.name(said.into());
        self.keys.insert(said, Some(key.into()));
        self
    }

    /// What the server calls `said` is not limited here.
    pub fn without(mut self, said: impl Into<String>) -> Self {
        let said = self.dialect.name(said.into());
        self.keys.insert(said, None);
        self
    }

    /// Reads the headers of a response that has come at `now`. A date is compared with `now`, so it is as good as this
    /// machine's clock; the limits themselves count by their own.
    ///
    /// # Errors
    ///
    /// The first header that cannot be understood, of those that are mapped; with it comes
    /// [what the others say](FeedbackError::understood).
    pub fn read(
        &self,
        headers: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
        now: SystemTime,
    ) -> Result<Feedback, FeedbackError> {
        let (said, mut heard) = (Said::new(headers, now), Heard::default());
        if !matches!(self.dialect, Dialect::OpenAi) {
            // That one reads it in its own way.
            let retry = said.time("retry-after", |_, value, now| time::retry_after(value, now));
            heard.hear(retry.map(|retry| retry.map_or(Feedback::default(), Feedback::retry_after)));
        }
        match self.dialect {
            Dialect::OpenAi => openai::read(&said, self, &mut heard),
            Dialect::Anthropic => anthropic::read(&said, self, &mut heard),
            Dialect::GitHub => github::read(&said, self, &mut heard),
            Dialect::Ietf => ietf::read(&said, self, &mut heard),
        }
        heard.end()
    }

    /// All that is mapped: the server's names and the keys.
    pub(super) fn mapped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.keys.iter().filter_map(|(said, key)| Some((said.as_str(), key.as_deref()?)))
    }

    /// The key of the first of `names` that is mapped, unless it is mapped to nothing.
    pub(super) fn first_mapped(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|said| self.keys.get(&self.dialect.name((*said).to_owned())))?.as_deref()
    }
}
