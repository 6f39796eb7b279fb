//! GitHub: one limit a response, whose resource is named; the reset is a date in seconds since 1970.
//!
//! Facts from <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>: a window ends at
//! `x-ratelimit-reset`, in UTC epoch seconds; a secondary limit is told by `retry-after` alone.

use super::heard::Heard;
use super::said::Said;
use super::{Feedback, FeedbackError, FeedbackHeaders, time};

pub(super) fn read(said: &Said, headers: &FeedbackHeaders, heard: &mut Heard) {
    heard.hear(limit(said, headers));
}

fn limit(said: &Said, headers: &FeedbackHeaders) -> Result<Feedback, FeedbackError> {
    let resource = said.first("x-ratelimit-resource").unwrap_or("core");
    let Some(key) = headers.first_mapped(&[resource, "requests"]) else { return Ok(Feedback::default()) };
    let remaining = said.number("x-ratelimit-remaining")?;
    let reset = said.time("x-ratelimit-reset", time::epoch)?;
    Ok(match (remaining, reset) {
        (Some(remaining), Some(reset)) => Feedback::remaining(key, remaining, reset),
        _ => Feedback::default(),
    })
}
