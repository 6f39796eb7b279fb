//! Every form of a time that servers write into headers.
//!
//! A number or a time that is too large for us is cut to what fits, and a date that has passed is a time of zero; what is
//! no number and no date at all, or a negative one, is an error.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::FeedbackError;

const NANOS_A_SECOND: u128 = 1_000_000_000;

/// The units of a Go duration, the longer names first.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS_A_SECOND),
    ("m", 60 * NANOS_A_SECOND),
    ("h", 3_600 * NANOS_A_SECOND),
    ("d", 86_400 * NANOS_A_SECOND),
];

/// A whole number, at most [`u64::MAX`].
pub(super) fn number(header: &str, value: &str) -> Result<u64, FeedbackError> {
    digits(value.trim()).ok_or_else(|| FeedbackError::new(header, value, "a whole number"))
}

/// A whole number of seconds.
pub(super) fn seconds(header: &str, value: &str) -> Result<Duration, FeedbackError> {
    let seconds =
        digits(value.trim()).ok_or_else(|| FeedbackError::new(header, value, "a number of seconds"))?;
    Ok(Duration::from_secs(seconds))
}

/// The value of `Retry-After` (RFC 9110, section 10.2.3): seconds, or an HTTP date, from `now`.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Result<Duration, FeedbackError> {
    const HEADER: &str = "retry-after";
    seconds(HEADER, value).or_else(|_| {
        let date = httpdate::parse_http_date(value.trim());
        let date =
            date.map_err(|_| FeedbackError::new(HEADER, value, "a number of seconds or an HTTP date"))?;
        Ok(date.duration_since(now).unwrap_or_default())
    })
}

/// As [`retry_after`], where the seconds may be a decimal number.
pub(super) fn retry_after_decimal(value: &str, now: SystemTime) -> Result<Duration, FeedbackError> {
    match decimal(value.trim(), NANOS_A_SECOND) {
        Some(nanos) => Ok(duration(nanos)),
        None => retry_after(value, now),
    }
}

/// A decimal number of milliseconds.
pub(super) fn milliseconds(header: &str, value: &str) -> Result<Duration, FeedbackError> {
    let nanos = decimal(value.trim(), 1_000_000)
        .ok_or_else(|| FeedbackError::new(header, value, "a number of milliseconds"))?;
    Ok(duration(nanos))
}

/// The time from `now` to a number of seconds since 1970-01-01 in UTC.
pub(super) fn epoch(header: &str, value: &str, now: SystemTime) -> Result<Duration, FeedbackError> {
    let seconds = digits(value.trim())
        .ok_or_else(|| FeedbackError::new(header, value, "a number of seconds since 1970"))?;
    Ok(Duration::from_secs(seconds).saturating_sub(since_epoch(now)))
}

/// The time from `now` to a date like `2026-01-31T12:00:00Z`
/// ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339#section-5.6)).
pub(super) fn rfc3339(header: &str, value: &str, now: SystemTime) -> Result<Duration, FeedbackError> {
    let date = OffsetDateTime::parse(value.trim(), &Rfc3339)
        .map_err(|_| FeedbackError::new(header, value, "a date of RFC 3339"))?;
    // A date before 1970 has passed.
    let nanos = u128::try_from(date.unix_timestamp_nanos()).unwrap_or_default();
    Ok(duration(nanos.saturating_sub(since_epoch(now).as_nanos())))
}

/// A duration as Go writes it: `6m0s`, `1.5s`, `20ms`
/// ([`time.Duration.String`](https://pkg.go.dev/time#Duration.String)); also days, and a plain number of seconds.
pub(super) fn go_duration(header: &str, value: &str) -> Result<Duration, FeedbackError> {
    let fail = || FeedbackError::new(header, value, "a duration such as `6m0s`");
    let mut rest = value.trim();
    if let Some(nanos) = decimal(rest, NANOS_A_SECOND) {
        return Ok(duration(nanos));
    }
    let mut sum: u128 = 0;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fail)?;
        let (count, tail) = rest.split_at(end);
        let (name, unit) = UNITS.iter().find(|(name, _)| tail.starts_with(name)).ok_or_else(fail)?;
        sum = sum.saturating_add(decimal(count, *unit).ok_or_else(fail)?);
        rest = &tail[name.len()..];
        if rest.is_empty() {
            return Ok(duration(sum));
        }
    }
}

pub(super) fn since_epoch(now: SystemTime) -> Duration {
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn duration(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Digits and nothing else, as a number; what does not fit is [`u64::MAX`].
fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().unwrap_or(u64::MAX))
}

/// A decimal number of a unit in nanoseconds, rounded up; what comes after the ninth digit of a fraction is one more of that.
fn decimal(text: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let whole = u128::from(digits(whole)?) * unit; // below 2⁶⁴ × 2⁴⁷
    digits(fraction)?;
    let (fraction, finer) = fraction.split_at(fraction.len().min(9));
    let tenths = (0..fraction.len()).fold(1, |power, _| power * 10);
    let more = u128::from(finer.bytes().any(|digit| digit != b'0'));
    Some(whole + ((u128::from(digits(fraction)?) + more) * unit).div_ceil(tenths))
}
