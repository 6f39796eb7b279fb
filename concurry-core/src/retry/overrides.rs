//! [`RetryOverrides`]: what is said of a retry, and what is left to a level below.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Retry, RetryAlgorithm};
use crate::config::{field_by_field, time};

/// The fields of a [`Retry`] that are named somewhere: in a section of the configuration, or in `#[retry(…)]`.
///
/// # Examples
///
/// ```
/// use concurry_core::config::Config;
/// use std::time::Duration;
///
/// let mut config = Config::default();
/// config.pool.retry.attempts = Some(5);
/// config.process.retry.wait = Some(Duration::from_millis(200));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetryOverrides {
    /// How many attempts there are at most, the first included; 1 or more.
    pub attempts: Option<u32>,
    /// How the waits grow.
    pub algorithm: Option<RetryAlgorithm>,
    /// The wait before the second attempt.
    #[serde(with = "time::optional")]
    pub wait: Option<Duration>,
    /// The longest wait that the algorithm may come to.
    #[serde(with = "time::optional")]
    pub max_wait: Option<Duration>,
    /// How much of a wait is left to chance, 0 to 1.
    pub jitter: Option<f64>,
    /// The time for all attempts together.
    #[serde(with = "time::optional")]
    pub budget: Option<Duration>,
    /// Whether panics are tried again.
    pub panics: Option<bool>,
    /// Whether deaths of workers are tried again.
    pub worker_death: Option<bool>,
}

impl RetryOverrides {
    /// No field at all.
    pub const NOTHING: Self = Self {
        attempts: None,
        algorithm: None,
        wait: None,
        max_wait: None,
        jitter: None,
        budget: None,
        panics: None,
        worker_death: None,
    };

    /// Every field of `retry`.
    pub(crate) fn all_of(retry: Retry) -> Self {
        Self {
            attempts: Some(retry.attempts),
            algorithm: Some(retry.algorithm),
            wait: Some(retry.wait),
            max_wait: retry.max_wait,
            jitter: Some(retry.jitter),
            budget: retry.budget,
            panics: Some(retry.panics),
            worker_death: Some(retry.worker_death),
        }
    }

    /// `base` with the fields that are named.
    pub fn applied_to(&self, base: Retry) -> Retry {
        Retry {
            attempts: self.attempts.unwrap_or(base.attempts),
            algorithm: self.algorithm.unwrap_or(base.algorithm),
            wait: self.wait.unwrap_or(base.wait),
            max_wait: self.max_wait.or(base.max_wait),
            jitter: self.jitter.unwrap_or(base.jitter),
            budget: self.budget.or(base.budget),
            panics: self.panics.unwrap_or(base.panics),
            worker_death: self.worker_death.unwrap_or(base.worker_death),
        }
    }
}

field_by_field! {
    RetryOverrides: attempts, algorithm, wait, max_wait, jitter, budget, panics, worker_death;
    parts:
}
