//! What each method of a pool has for a retry.

use concurry_core::retry::{InvalidRetry, Retry, RetryOverrides};

use crate::error::InitError;

/// What `#[worker]` tells of a method that can be tried again.
#[derive(Debug)]
pub struct MethodRetry {
    /// Its number.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// What stands in its `#[retry(…)]`, if it has one.
    pub overrides: Option<RetryOverrides>,
    /// It returns a `Result`. Another one can only be tried again for its panics, for deaths, or by an `until`.
    pub can_fail: bool,
    /// It has an `until`, which judges even a single attempt.
    pub has_until: bool,
    /// Its arguments that are not `Clone`, as "argument `T` of `method`".
    pub not_clone: Vec<String>,
}

/// The retry of each method, by number; none for those that are tried once.
pub(crate) type Rules = Box<[Option<Retry>]>;

/// What a pool with this `retry` of its own, or else with what is `configured`, does for each of `methods`.
pub(crate) fn rules(
    worker: &'static str,
    retry: Option<Retry>,
    configured: &RetryOverrides,
    methods: &[MethodRetry],
) -> Result<Rules, InitError> {
    if retry.is_some() && methods.is_empty() {
        return Err(InitError::InvalidOption {
            option: "retry",
            value: format!("set for `{worker}`"),
            expected: "no method of it returns a `Result`: nothing could be tried again",
        });
    }
    let base = configured.applied_to(Retry::default());
    let retry = retry.or_else(|| configured.attempts.map(|_| base));
    if let Some(retry) = retry {
        retry.check().map_err(|error| invalid(error, None))?;
    }
    let (mut rules, mut not_clone) = (Vec::new(), Vec::new());
    for method in methods {
        let rule = match (method.overrides, retry) {
            (Some(overrides), of_pool) => overrides.applied_to(of_pool.unwrap_or(base)),
            (None, Some(retry)) => retry,
            (None, None) => continue,
        };
        rule.check().map_err(|error| invalid(error, Some(method.name)))?;
        if rule.attempts() == 1 && !method.has_until {
            continue;
        }
        if !method.can_fail && !method.has_until && !rule.retries_panics() && !rule.retries_worker_death() {
            return Err(cannot_fail(method.name));
        }
        not_clone.extend(method.not_clone.iter().map(String::as_str));
        let place = usize::from(method.number);
        rules.resize(rules.len().max(place + 1), None);
        rules[place] = Some(rule);
    }
    if not_clone.is_empty() {
        Ok(rules.into())
    } else {
        Err(InitError::NotClonable { worker, what: not_clone.join(", ") })
    }
}

/// Nothing can become of this method for which it would be tried again.
fn cannot_fail(method: &str) -> InitError {
    InitError::InvalidOption {
        option: "#[retry]",
        value: format!("set for `{method}`"),
        expected: "it returns no `Result`, so say for what it is tried again: `until = …`, `panics` or `worker_death`",
    }
}

fn invalid(error: InvalidRetry, method: Option<&str>) -> InitError {
    let InvalidRetry { option, value, expected } = error;
    let value = match method {
        Some(method) => format!("{value} for `{method}`"),
        None => value,
    };
    InitError::InvalidOption { option, value, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: RetryOverrides = RetryOverrides::NOTHING;

    fn method(number: u16, overrides: Option<RetryOverrides>) -> MethodRetry {
        MethodRetry {
            number,
            name: "get",
            overrides,
            can_fail: true,
            has_until: false,
            not_clone: Vec::new(),
        }
    }

    #[test]
    fn a_method_without_attribute_has_the_retry_of_the_pool() {
        let rules = rules("W", Some(Retry::fixed(4)), &NOTHING, &[method(2, None)]).unwrap();
        assert_eq!(&rules[..], [None, None, Some(Retry::fixed(4))]);
    }

    #[test]
    fn without_a_pools_retry_only_methods_with_an_attribute_have_one() {
        let mut overrides = NOTHING;
        overrides.attempts = Some(2);
        let rules = rules("W", None, &NOTHING, &[method(0, None), method(1, Some(overrides))]).unwrap();
        assert_eq!(&rules[..], [None, Some(Retry::exponential(2))]);
    }

    #[test]
    fn what_is_configured_is_below_the_pool_and_the_method() {
        let mut configured = NOTHING;
        configured.jitter = Some(0.0);
        let mut overrides = NOTHING;
        overrides.attempts = Some(2);
        let methods = [method(0, None), method(1, Some(overrides))];
        let of_method = rules("W", None, &configured, &methods).unwrap();
        assert_eq!(&of_method[..], [None, Some(Retry::exponential(2).jitter(0.0))]);
        configured.attempts = Some(9);
        let of_config = rules("W", None, &configured, &methods).unwrap();
        assert_eq!(of_config[0], Some(Retry::exponential(9).jitter(0.0)));
        let of_pool = rules("W", Some(Retry::fixed(4)), &configured, &methods).unwrap();
        assert_eq!(of_pool[0], Some(Retry::fixed(4)));
    }

    #[test]
    fn a_single_attempt_is_none_unless_until_judges_it() {
        let mut judged = method(1, None);
        judged.has_until = true;
        let rules = rules("W", Some(Retry::fixed(1)), &NOTHING, &[method(0, None), judged]).unwrap();
        assert_eq!(&rules[..], [None, Some(Retry::fixed(1))]);
    }

    #[test]
    fn a_method_that_cannot_fail_says_for_what_it_is_tried_again() {
        let plain = |attempts, panics| {
            let mut overrides = NOTHING;
            (overrides.attempts, overrides.panics) = (Some(attempts), panics);
            MethodRetry { can_fail: false, ..method(0, Some(overrides)) }
        };
        let error = rules("W", None, &NOTHING, &[plain(2, None)]).unwrap_err().to_string();
        assert!(error.starts_with("#[retry] is set for `get`") && error.contains("`panics`"), "{error}");
        assert!(rules("W", None, &NOTHING, &[plain(2, Some(true))]).is_ok());
        assert!(rules("W", Some(Retry::fixed(2).worker_death(true)), &NOTHING, &[plain(2, None)]).is_ok());
        assert!(rules("W", None, &NOTHING, &[plain(1, None)]).is_ok());
    }

    #[test]
    fn a_mistake_names_the_method() {
        let mut overrides = NOTHING;
        overrides.jitter = Some(2.0);
        let error = rules("W", None, &NOTHING, &[method(0, Some(overrides))]).unwrap_err();
        assert!(error.to_string().starts_with("retry jitter is 2 for `get`"), "{error}");
    }
}
