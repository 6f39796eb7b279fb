//! Anthropic: a header a limit and figure, resets as dates.
//!
//! Facts from <https://docs.anthropic.com/en/api/rate-limits>: limits are token buckets that are continuously replenished;
//! "reset" is the time when the limit "will be fully replenished", as in RFC 3339.

use super::heard::Heard;
use super::said::Said;
use super::{Feedback, FeedbackError, FeedbackHeaders, time};

pub(super) fn read(said: &Said, headers: &FeedbackHeaders, heard: &mut Heard) {
    for (name, key) in headers.mapped() {
        heard.hear(limit(said, name, key));
    }
}

fn limit(said: &Said, name: &str, key: &str) -> Result<Feedback, FeedbackError> {
    let remaining = said.number(&format!("anthropic-ratelimit-{name}-remaining"))?;
    let limit = said.number(&format!("anthropic-ratelimit-{name}-limit"))?;
    let reset = said.time(&format!("anthropic-ratelimit-{name}-reset"), time::rfc3339)?;
    Ok(Feedback::bucket(key, remaining, limit, reset))
}
