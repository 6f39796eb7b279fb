//! The fields of the IETF's draft `draft-ietf-httpapi-ratelimit-headers`, in the three forms that are in use.
//!
//! * Drafts 00 to 06: `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`; the reset in seconds from now.
//! * Draft 07: a dictionary, `RateLimit: limit=100, remaining=50, reset=30`.
//! * Since draft 08: a list of policies, `RateLimit: "policy";r=50;t=30`, where `r` remain and `t` seconds are left of the
//!   window; `RateLimit-Policy: "policy";q=100;w=60;qu="requests"` tells their units and windows.
//!
//! Lists and dictionaries are structured fields (RFC 9651).

use std::time::{Duration, SystemTime};

use sfv::{BareItem, Dictionary, Item, List, ListEntry, Parser};

use super::heard::Heard;
use super::said::Said;
use super::{Feedback, FeedbackError, FeedbackHeaders, time};

const FIELD: &str = "ratelimit";
const POLICY: &str = "ratelimit-policy";
/// What a policy counts that does not say what.
const UNIT: &str = "requests";
/// A reset that is larger than this many seconds (31 years) is a date: GitLab, for one, sends one in this field
/// (<https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/>).
const MOST_SECONDS: Duration = Duration::from_secs(1_000_000_000);

pub(super) fn read(said: &Said, headers: &FeedbackHeaders, heard: &mut Heard) {
    let Some(text) = said.list(FIELD) else { return heard.hear(separate(said, headers)) };
    let fail = || FeedbackError::new(FIELD, &text, "a list of policies with `r` and `t`");
    let Ok(list) = Parser::new(&text).parse::<List>() else {
        let dictionary = Parser::new(&text).parse::<Dictionary>().ok();
        let feedback = dictionary.and_then(|dictionary| together(&dictionary, headers, said.now));
        return heard.hear(feedback.ok_or_else(fail));
    };
    let policies = policies(said, heard);
    for item in items(&list) {
        heard.hear(limit(item, policies.as_deref(), headers, said.now).ok_or_else(fail));
    }
}

/// What one of a list says, since draft 08; nothing when it cannot be understood. Without `policies`, what they tell was said
/// and is not known.
fn limit(
    item: &Item,
    policies: Option<&[Policy]>,
    headers: &FeedbackHeaders,
    now: SystemTime,
) -> Option<Feedback> {
    let name = name(item)?;
    let policy = policies.and_then(|policies| policies.iter().find(|policy| policy.name == name));
    let remaining = whole(item.params.get("r"))?;
    // Without an end, the window may have begun just now.
    let reset = match item.params.get("t") {
        Some(reset) => Some(until_reset(Duration::from_secs(whole(Some(reset))?), now)),
        None => policy.and_then(|policy| policy.window).map(Duration::from_secs),
    };
    let unit = match (policies, policy) {
        (_, Some(policy)) => policy.unit.as_deref(),
        (Some(_), None) => Some(UNIT),
        (None, None) => None,
    };
    let names = [Some(name), unit];
    let names: Vec<_> = names.into_iter().flatten().collect();
    Some(match (headers.first_mapped(&names), reset) {
        (Some(key), Some(reset)) => Feedback::remaining(key, remaining, reset),
        _ => Feedback::default(),
    })
}

/// The time until a reset, of a number of seconds that may be a date.
fn until_reset(seconds: Duration, now: SystemTime) -> Duration {
    if seconds > MOST_SECONDS { seconds.saturating_sub(time::since_epoch(now)) } else { seconds }
}

/// Drafts 00 to 06.
fn separate(said: &Said, headers: &FeedbackHeaders) -> Result<Feedback, FeedbackError> {
    let Some(key) = headers.first_mapped(&[UNIT]) else { return Ok(Feedback::default()) };
    let remaining = said.number("ratelimit-remaining")?;
    let reset = said
        .time("ratelimit-reset", |header, value, now| Ok(until_reset(time::seconds(header, value)?, now)))?;
    Ok(match (remaining, reset) {
        (Some(remaining), Some(reset)) => Feedback::remaining(key, remaining, reset),
        _ => Feedback::default(),
    })
}

/// Draft 07.
fn together(fields: &Dictionary, headers: &FeedbackHeaders, now: SystemTime) -> Option<Feedback> {
    let field = |name: &str| match fields.get(name) {
        Some(ListEntry::Item(item)) => whole(Some(&item.bare_item)),
        _ => None,
    };
    let (remaining, reset) = (field("remaining")?, Duration::from_secs(field("reset")?));
    let key = headers.first_mapped(&[UNIT]);
    Some(key.map_or(Feedback::default(), |key| Feedback::remaining(key, remaining, until_reset(reset, now))))
}

/// What `RateLimit-Policy` tells.
struct Policy {
    name: String,
    /// Nothing where it is told and not understood.
    unit: Option<String>,
    window: Option<u64>,
}

/// The policies that are understood; nothing when the field is there and cannot be read at all. One without a name, as in
/// earlier drafts, tells of no limit that has one.
fn policies(said: &Said, heard: &mut Heard) -> Option<Vec<Policy>> {
    let Some(text) = said.list(POLICY) else { return Some(Vec::new()) };
    let fail = || FeedbackError::new(POLICY, &text, "a list of policies with `q` and `w`");
    let list = heard.value_of(Parser::new(&text).parse::<List>().map_err(|_| fail()))?;
    let mut policies = Vec::new();
    for item in items(&list) {
        let unit = item.params.get("qu").map_or(Some(UNIT), text_of).map(ToOwned::to_owned);
        if unit.is_none() || name(item).is_none() {
            heard.hear(Err(fail()));
        }
        if let Some(name) = name(item) {
            policies.push(Policy { name: name.to_owned(), unit, window: whole(item.params.get("w")) });
        }
    }
    Some(policies)
}

fn items(list: &List) -> impl Iterator<Item = &Item> {
    list.iter().filter_map(|entry| match entry {
        ListEntry::Item(item) => Some(item),
        ListEntry::InnerList(_) => None,
    })
}

/// A policy is named by a string, and in some drafts by a token.
fn name(item: &Item) -> Option<&str> {
    text_of(&item.bare_item)
}

fn text_of(value: &BareItem) -> Option<&str> {
    match value {
        BareItem::String(text) => Some(text.as_str()),
        BareItem::Token(text) => Some(text.as_str()),
        _ => None,
    }
}

/// A whole number that is not negative.
fn whole(value: Option<&BareItem>) -> Option<u64> {
    match value? {
        BareItem::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}
