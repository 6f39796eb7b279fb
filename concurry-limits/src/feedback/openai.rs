//! OpenAI: a header a limit and figure, resets as durations.
//!
//! Facts from <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>: "remaining" is what is
//! permitted before the limit is exhausted, "reset" the time until the limit "resets to its initial state", as in `1s` and
//! `6m0s`. `retry-after-ms` is what OpenAI's own clients read before `retry-after`, which they read only without it, and as a
//! decimal number (<https://github.com/openai/openai-python>, `_parse_retry_after_header`).

use std::time::Duration;

use super::said::Said;
use super::{Feedback, FeedbackError, FeedbackHeaders, time};

pub(super) fn read(said: &Said, headers: &FeedbackHeaders) -> Result<Feedback, FeedbackError> {
    let mut feedback = retry(said)?.map_or(Feedback::default(), Feedback::retry_after);
    for (name, key) in headers.mapped() {
        let remaining = said.number(&format!("x-ratelimit-remaining-{name}"))?;
        let limit = said.number(&format!("x-ratelimit-limit-{name}"))?;
        let reset = said.time(&format!("x-ratelimit-reset-{name}"), |header, value, _| {
            time::go_duration(header, value)
        })?;
        if let (Some(remaining), Some(reset)) = (remaining, reset) {
            let full = limit.unwrap_or(remaining);
            feedback = feedback.and(Feedback::replenished(key, remaining, full, reset));
        }
    }
    Ok(feedback)
}

fn retry(said: &Said) -> Result<Option<Duration>, FeedbackError> {
    match said.time("retry-after-ms", |header, value, _| time::milliseconds(header, value))? {
        None => said.time("retry-after", |_, value, now| time::retry_after_decimal(value, now)),
        finer => Ok(finer),
    }
}
