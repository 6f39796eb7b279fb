//! OpenAI: a header a limit and figure, resets as durations.
//!
//! Facts from <https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers>: "remaining" is what is
//! permitted before the limit is exhausted, "reset" the time until the limit "resets to its initial state", as in `1s` and
//! `6m0s`. `retry-after-ms` is what OpenAI's own clients read before `retry-after`, which they read only without it, and as a
//! decimal number (<https://github.com/openai/openai-python>, `_parse_retry_after_header`). Azure says -1 for what it does not know
//! (<https://github.com/openai/openai-dotnet/issues/838>).

use super::heard::Heard;
use super::said::Said;
use super::{Feedback, FeedbackError, FeedbackHeaders, time};

pub(super) fn read(said: &Said, headers: &FeedbackHeaders, heard: &mut Heard) {
    let finer = said.time("retry-after-ms", |header, value, _| time::milliseconds(header, value));
    let retry = heard.value_of(finer).flatten().or_else(|| {
        let coarser = said.time("retry-after", |_, value, now| time::retry_after_decimal(value, now));
        heard.value_of(coarser).flatten()
    });
    heard.hear(Ok(retry.map_or(Feedback::default(), Feedback::retry_after)));
    for (name, key) in headers.mapped() {
        heard.hear(limit(said, name, key));
    }
}

fn limit(said: &Said, name: &str, key: &str) -> Result<Feedback, FeedbackError> {
    let remaining = said.known_number(&format!("x-ratelimit-remaining-{name}"))?;
    let limit = said.known_number(&format!("x-ratelimit-limit-{name}"))?;
    let reset =
        said.time(&format!("x-ratelimit-reset-{name}"), |header, value, _| time::go_duration(header, value))?;
    Ok(Feedback::bucket(key, remaining, limit, reset))
}
