//! [`RetryOverrides`]: what a method says otherwise than its pool.

use std::time::Duration;

use super::{Retry, RetryAlgorithm};

/// The fields that `#[retry(…)]` names; all others are the pool's, or the default.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RetryOverrides {
    pub attempts: Option<u32>,
    pub algorithm: Option<RetryAlgorithm>,
    pub wait: Option<Duration>,
    pub max_wait: Option<Duration>,
    pub jitter: Option<f64>,
    pub budget: Option<Duration>,
    pub panics: Option<bool>,
    pub worker_death: Option<bool>,
}

impl RetryOverrides {
    /// `base` with the fields that are named.
    pub fn over(&self, base: Retry) -> Retry {
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
