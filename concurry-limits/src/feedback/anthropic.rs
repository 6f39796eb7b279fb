//! Anthropic: a header a limit and figure, resets as dates.
//!
//! Facts from <https://docs.anthropic.com/en/api/rate-limits>: limits are token buckets that are continuously replenished;
//! "reset" is the time when the limit "will be fully replenished", as in RFC 3339.

use super::said::Said;
use super::{Feedback, FeedbackError, FeedbackHeaders, time};

pub(super) fn read(said: &Said, headers: &FeedbackHeaders) -> Result<Feedback, FeedbackError> {
    let mut feedback = Feedback::default();
    for (name, key) in headers.mapped() {
        let remaining = said.number(&format!("anthropic-ratelimit-{name}-remaining"))?;
        let limit = said.number(&format!("anthropic-ratelimit-{name}-limit"))?;
        let reset = said.time(&format!("anthropic-ratelimit-{name}-reset"), time::rfc3339)?;
        if let (Some(remaining), Some(reset)) = (remaining, reset) {
            let full = limit.unwrap_or(remaining);
            feedback = feedback.and(Feedback::replenished(key, remaining, full, reset));
        }
    }
    Ok(feedback)
}
